import { sql } from 'kysely';
import { wakeBatches } from '#db/delivery/sender-batches.ts';
import { notFound } from '#platform/errors.ts';
import type { Channel, MessageClass } from '#schemas/delivery.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';

/** A sender, and how it is doing. */
export interface SenderView {
  id: string;
  channel: Channel;
  name: string;
  address: string;
  classes: MessageClass[];
  drill: boolean;
  /** Which of the channel's provider accounts. */
  account: number;
  /** SMS segments, else messages; null means as fast as the provider takes them. */
  unitsPerSecond: number | null;
  /** The share of its rate that it uses: 1 normally, lower while the provider throttles. */
  throttle: number;
  stoppedAt: string | null;
  /** Why it stopped itself, such as refused credentials. */
  stoppedReason: string | null;
  /** Set while its provider fails: ops and bulk messages wait, and a few of their people are tried again and again. */
  failing: { since: string; code: string | null } | null;
}

/** All senders of the organisation, first the real ones and then those of drills, each in the order of their ids. */
export async function listSenders(ctx: Pick<Context, 'db' | 'tenantId' | 'ids'>): Promise<SenderView[]> {
  const rows = await inTenant(ctx, (tx) =>
    tx
      .selectFrom('senders')
      .select([
        'id',
        'channel',
        'name',
        'address',
        'drill',
        'account',
        'units_per_second',
        'throttle',
        'stopped_at',
        'stopped_reason',
        'breaker_opened_at',
        'breaker_code',
        sql<MessageClass[]>`classes::text[]`.as('classes'),
      ])
      .where('tenant_id', '=', ctx.tenantId)
      .orderBy('drill')
      .orderBy('id')
      .execute(),
  );
  return rows.map((row) => ({
    id: ctx.ids.encode('snd', row.id),
    channel: row.channel,
    name: row.name,
    address: row.address,
    classes: row.classes,
    drill: row.drill,
    account: row.account,
    unitsPerSecond: row.units_per_second,
    throttle: row.throttle,
    stoppedAt: row.stopped_at?.toISOString() ?? null,
    stoppedReason: row.stopped_reason,
    failing: row.breaker_opened_at && { since: row.breaker_opened_at.toISOString(), code: row.breaker_code },
  }));
}

/**
 * Lets a sender that stopped itself, or whose provider fails, try again at once; the batches that waited for it go on by
 * themselves.
 * @throws Problem 403 `scope_missing` without `admin`; 404
 */
export async function releaseSender(ctx: Context, publicId: string): Promise<void> {
  requireScope(ctx, 'admin');
  const id = ctx.ids.decode('snd', publicId);
  if (id === undefined) throw notFound('sender');
  await inTenant(ctx, async (tx) => {
    const changed = await tx
      .updateTable('senders')
      .set({
        ...{ stopped_at: null, stopped_reason: null, throttle: 1 },
        ...{ breaker_opened_at: null, breaker_code: null, breaker_run: 0, breaker_probes: 0 },
      })
      .where('tenant_id', '=', ctx.tenantId)
      .where('id', '=', Number(id))
      .executeTakeFirst();
    if (changed.numUpdatedRows === 0n) throw notFound('sender');
    await wakeBatches(tx, ctx.tenantId, Number(id));
    await appendAudit(tx, ctx, 'sender.release', id);
  });
}

/** What is held right now: the whole installation, this tenant, or some of its channels. */
export interface SendingState {
  installationStopped: boolean;
  /** How it was noticed that the database was restored from a backup; null where it was not, or since it was released. */
  restored: string | null;
  tenantStoppedAt: string | null;
  stoppedChannels: Channel[];
}

/** Reads what is held right now, for the console and the API. */
export async function sendingState(ctx: Context): Promise<SendingState> {
  return inTenant(ctx, async (tx) => {
    const held = tx.selectFrom('installation').select(['stopped_at', 'stopped_by', 'stopped_reason']);
    const installation = await held.executeTakeFirstOrThrow();
    const tenant = await tx
      .selectFrom('tenants')
      .select(['stopped_at', sql<Channel[]>`stopped_channels::text[]`.as('channels')])
      .where('tenant_id', '=', ctx.tenantId)
      .executeTakeFirstOrThrow();
    return {
      installationStopped: installation.stopped_at !== null,
      restored: installation.stopped_by === 'restore' ? installation.stopped_reason : null,
      tenantStoppedAt: tenant.stopped_at?.toISOString() ?? null,
      stoppedChannels: tenant.channels,
    };
  });
}
