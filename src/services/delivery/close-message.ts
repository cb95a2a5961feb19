import { sql } from 'kysely';
import { closeBatches, settleDoubtOfClosed } from '#db/delivery/close-batches.ts';
import { type Deps, notifyProgress } from '#services/context.ts';

/**
 * Ends what a stopped or expired message still has queued, step by step in short transactions. Nothing is left when no
 * batch is planned or claimed, no wave is being planned and no doubt is open. Then the message is marked complete, and
 * the sweep stops asking for it.
 */
export async function closeMessage(deps: Pick<Deps, 'db'>, tenantId: number, messageId: string): Promise<void> {
  for (;;) {
    const closed = await deps.db.withTenant(tenantId, async (tx) => {
      const message = await tx
        .selectFrom('messages')
        .select(['state', 'stopped_by'])
        .where('tenant_id', '=', tenantId)
        .where('id', '=', messageId)
        .executeTakeFirst();
      if (message?.state !== 'stopped' && message?.state !== 'expired') return undefined;
      const batches = await closeBatches(tx, tenantId, messageId, endOf(message));
      if (batches > 0) await notifyProgress(tx, tenantId, messageId);
      return batches;
    });
    if (closed === undefined) return;
    if (closed === 0) break;
  }
  await deps.db.withTenant(tenantId, async (tx) => {
    const doubtful = await settleDoubtOfClosed(tx, tenantId, messageId);
    if (doubtful > 0) return;
    const done = await sql`
      UPDATE messages m SET completed_at = now()
      WHERE m.tenant_id = ${tenantId}
        AND m.id = ${messageId}
        AND m.state IN ('stopped', 'expired')
        AND m.completed_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.message_id = m.id AND b.state IN ('planned', 'claimed'))
        AND NOT EXISTS (
          SELECT 1 FROM waves w
          WHERE w.tenant_id = m.tenant_id AND w.message_id = m.id AND w.state IN ('waiting', 'planning')
        )`.execute(tx);
    if (done.numAffectedRows) await notifyProgress(tx, tenantId, messageId);
  });
}

/** People who waited when a backup was restored may have been called since it was taken, and nobody can say that they were not. */
const endOf = (message: { state: string; stopped_by: string | null }): 'cancelled' | 'expired' | 'unresolved' =>
  message.state === 'expired' ? 'expired' : message.stopped_by === 'restore' ? 'unresolved' : 'cancelled';
