import { sql } from 'kysely';
import { brokenGuardSql } from '#db/delivery/guard-sql.ts';
import type { ClaimedBatch } from '#db/delivery/claim-batch.ts';
import { appendAudit } from '#services/audit.ts';
import { type Deps, notifyProgress, systemActor } from '#services/context.ts';
import { notifyStop } from './recalls.ts';

/**
 * Stops a launched message that breaks a send guard, since something was changed after its launch. It is stopped for good, on
 * record, and everybody who looks at it sees why; what waited is closed by the caller's nudge.
 */
export async function stopByGuard(deps: Pick<Deps, 'db' | 'log'>, batch: ClaimedBatch): Promise<void> {
  const { tenantId, messageId, wave } = batch;
  await deps.db.withTenant(tenantId, async (tx) => {
    const { rows } = await sql<{ stopped_by: string }>`
      UPDATE messages x SET
        state = 'stopped',
        stopped_at = now(),
        stopped_by = 'guard:' || b.guard,
        completed_at = NULL
      FROM (
        SELECT m.id, ${brokenGuardSql} AS guard
        FROM messages m
        JOIN tenants t USING (tenant_id)
        JOIN waves w ON w.tenant_id = m.tenant_id AND w.message_id = m.id AND w.ordinal = ${wave}
        WHERE m.tenant_id = ${tenantId} AND m.id = ${messageId}
      ) b
      WHERE x.tenant_id = ${tenantId} AND x.id = b.id AND x.state = 'live' AND b.guard IS NOT NULL
      RETURNING x.stopped_by`.execute(tx);
    const guard = rows[0]?.stopped_by;
    if (guard === undefined) return;
    deps.log.error({ messageId, guard }, 'a launched message breaks a send guard: stopped');
    await tx
      .updateTable('waves')
      .set({ state: 'cancelled' })
      .where('tenant_id', '=', tenantId)
      .where('message_id', '=', messageId)
      .where('state', '=', 'waiting')
      .where('cursor_id', '=', '0')
      .where('ordinal', '>', 0)
      .execute();
    await appendAudit(tx, { tenantId, actor: systemActor }, 'message.guard', messageId, { guard });
    await notifyProgress(tx, tenantId, messageId);
    await notifyStop(tx, { tenantId, messageId });
  });
}
