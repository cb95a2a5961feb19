import { sql } from 'kysely';
import { lockForStop } from '#db/delivery/stop-lock.ts';
import type { Tx } from '#db/database.ts';
import { invalidField, Problem } from '#platform/errors.ts';
import type { Channel } from '#schemas/delivery.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';
import { notifyStop } from '#services/delivery/recalls.ts';

export interface StopEverything {
  scope: 'installation' | 'tenant' | 'channel';
  channel?: Channel | undefined;
  /** Lets sending go on again. */
  release?: boolean | undefined;
}

/** Holds (or releases) all sending of the tenant, of one of its channels, or of the installation. What is queued waits. */
export async function stopEverything(ctx: Context, input: StopEverything): Promise<{ inFlight: number }> {
  if (input.scope === 'installation') requireOperator(ctx);
  else requireScope(ctx, 'write');
  if (input.scope === 'channel' && input.channel === undefined)
    throw invalidField('channel', 'required', 'name the channel: push, sms or email');
  return inTenant(ctx, async (tx) => {
    await lockForStop(tx);
    const release = input.release === true;
    if (release && input.scope !== 'installation') await requireWhatWaits(tx, ctx);
    if (input.scope === 'installation')
      await tx
        .updateTable('installation')
        .set({ stopped_at: release ? null : sql`now()`, stopped_by: release ? null : ctx.actor.label, stopped_reason: null })
        .execute();
    else if (input.scope === 'tenant')
      await tx
        .updateTable('tenants')
        .set({ stopped_at: release ? null : sql`now()` })
        .where('tenant_id', '=', ctx.tenantId)
        .execute();
    else {
      const channel = sql`${input.channel ?? null}::channel`;
      await tx
        .updateTable('tenants')
        .set({
          stopped_channels: release
            ? sql`array_remove(stopped_channels, ${channel})`
            : sql`array_append(array_remove(stopped_channels, ${channel}), ${channel})`,
        })
        .where('tenant_id', '=', ctx.tenantId)
        .execute();
    }
    await appendAudit(tx, ctx, release ? 'stop.release' : 'stop', input.scope, input.channel ? { channel: input.channel } : {});
    if (!release)
      await notifyStop(
        tx,
        input.scope === 'installation' ? {} : { tenantId: ctx.tenantId, ...(input.scope === 'channel' && { channel: input.channel }) },
      );
    const answer = { inFlight: await inFlight(tx, ctx.tenantId, input) };
    await ctx.idempotency?.complete(tx, 200, answer);
    return answer;
  });
}

/** To let go what waits is to send it: that needs the scope of each class of which something may wait. */
async function requireWhatWaits(tx: Tx, ctx: Context): Promise<void> {
  const rows = await tx
    .selectFrom('messages')
    .select('class')
    .distinct()
    .where('tenant_id', '=', ctx.tenantId)
    .where('state', 'in', ['scheduled', 'live'])
    .orderBy('class')
    .execute();
  for (const row of rows) requireScope(ctx, `send:${row.class}`);
}

/** An administrator may not stop other organisations or set them going again; everybody who may write may stop their own. */
function requireOperator(ctx: Context): void {
  if (!ctx.actor.scopes.has('operator'))
    throw new Problem(
      403,
      'not_an_operator',
      'Only an operator of this installation stops or releases all of it. Your own organisation is the scope "tenant".',
      {
        extra: { scope: 'operator' },
      },
    );
}

/**
 * How many calls are marked in what was stopped, those of messages that were stopped just before included. What has not begun
 * is taken back.
 */
async function inFlight(tx: Tx, tenantId: number, { scope, channel }: StopEverything): Promise<number> {
  const { rows } = await (scope === 'installation'
    ? sql<{ n: number }>`SELECT calls_in_flight() AS n`
    : sql<{ n: number }>`
        SELECT COALESCE(sum(c.attempting), 0)::float8 AS n
        FROM delivery_counts c
        JOIN messages m ON m.tenant_id = c.tenant_id AND m.id = c.message_id
        WHERE m.tenant_id = ${tenantId}
          AND (m.state = 'live' OR (m.state IN ('stopped', 'expired') AND m.completed_at IS NULL))
          AND c.channel = COALESCE(${channel ?? null}::channel, c.channel)`
  ).execute(tx);
  return rows[0]?.n ?? 0;
}
