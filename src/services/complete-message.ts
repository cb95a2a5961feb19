import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { type Deps, notifyProgress } from './context.ts';

/**
 * A message is complete when no batch waits and no wave is to come. Asked in a transaction of its own, after the
 * batch's end has committed: of two last batches the later one sees both. An ops message whose list names further
 * channels falls back to them first for who was not reached.
 */
export async function completeMessage(deps: Pick<Deps, 'db' | 'queue'>, tenantId: number, messageId: string): Promise<void> {
  const fallback = await deps.db.withTenant(tenantId, async (tx) => {
    const { rows } = await sql<{ fallback: boolean }>`
      SELECT m.class = 'ops' AND m.kind = 'original' AND jsonb_typeof(m.channels) = 'array' AS fallback FROM messages m
      WHERE m.tenant_id = ${tenantId} AND m.id = ${messageId} AND m.state = 'live'
        AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.message_id = m.id AND b.state IN ('planned', 'claimed'))
        AND NOT EXISTS (SELECT 1 FROM waves w WHERE w.tenant_id = m.tenant_id AND w.message_id = m.id AND w.state IN ('waiting', 'planning'))
      FOR UPDATE`.execute(tx);
    if (!rows[0]) return undefined;
    const wave = rows[0].fallback ? await addFallback(tx, tenantId, messageId) : undefined;
    if (wave === undefined)
      await tx
        .updateTable('messages')
        .set({ state: 'completed', completed_at: sql`now()` })
        .where('tenant_id', '=', tenantId)
        .where('id', '=', messageId)
        .execute();
    await notifyProgress(tx, tenantId, messageId);
    return wave;
  });
  if (fallback !== undefined) await deps.queue.nudge('plan', { tenantId, waveId: fallback });
}

/**
 * The next channel for people whom the last wave failed to reach, at most once for each channel of the list. Decided by
 * counters; the planner then finds who is left and which channels were not tried for them.
 */
async function addFallback(tx: Tx, tenantId: number, messageId: string): Promise<string | undefined> {
  const { rows } = await sql<{ id: string }>`
    INSERT INTO waves (tenant_id, message_id, ordinal, channels, mode, selects, due_at)
    SELECT w.tenant_id, w.message_id, w.ordinal + 1, w.channels, 'first', 'not_reached', now()
    FROM waves w
    WHERE w.tenant_id = ${tenantId} AND w.message_id = ${messageId} AND w.selects <> 'ids' AND w.ordinal + 1 < cardinality(w.channels)
      AND w.ordinal = (SELECT max(x.ordinal) FROM waves x WHERE x.tenant_id = w.tenant_id AND x.message_id = w.message_id AND x.selects <> 'ids')
      AND (SELECT sum(c.failed) FROM delivery_counts c WHERE c.message_id = w.message_id AND c.wave = w.ordinal) > 0
    ON CONFLICT DO NOTHING RETURNING id`.execute(tx);
  return rows[0]?.id;
}
