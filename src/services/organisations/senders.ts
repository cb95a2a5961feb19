import { sql } from 'kysely';
import { wakeBatches } from '#db/delivery/sender-batches.ts';
import { notFound } from '#platform/errors.ts';
import type { Channel, MessageClass } from '#schemas/delivery.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';

/** Something that messages leave from, and how it is doing. */
export interface SenderView {
  id: string;
  channel: Channel;
  name: string;
  address: string;
  classes: MessageClass[];
  drill: boolean;
  /** Which of the channel's provider accounts. */
  account: number;
  /** Null: as fast as the provider takes it. */
  unitsPerSecond: number | null;
  /** 1 normally; lower while the provider throttles. */
  throttle: number;
  stoppedAt: string | null;
  /** Why it stopped itself, such as refused credentials. */
  stoppedReason: string | null;
  /** Its provider fails: ops and bulk wait and a few people try again; null while it works. */
  failing: { since: string; code: string | null } | null;
}

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

/** Lets a sender that stopped itself, or whose provider fails, try again at once; what waited for it goes on by itself. */
export async function releaseSender(ctx: Context, publicId: string): Promise<void> {
  requireScope(ctx, 'admin');
  const id = ctx.ids.decode('snd', publicId);
  if (id === undefined) throw notFound('sender');
  await inTenant(ctx, async (tx) => {
    const changed = await tx
      .updateTable('senders')
      .set({ stopped_at: null, stopped_reason: null, throttle: 1, breaker_opened_at: null, breaker_code: null, breaker_run: 0, breaker_probes: 0 })
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
  /** How it was noticed that the database was restored from a backup; null where it was not, or somebody released it. */
  restored: string | null;
  tenantStoppedAt: string | null;
  stoppedChannels: Channel[];
}

export async function sendingState(ctx: Context): Promise<SendingState> {
  return inTenant(ctx, async (tx) => {
    const installation = await tx.selectFrom('installation').select(['stopped_at', 'stopped_by', 'stopped_reason']).executeTakeFirstOrThrow();
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
