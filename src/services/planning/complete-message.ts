import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { type Places, prepared } from '#db/prepared.ts';
import type { Deps } from '#services/context.ts';

/**
 * Completes a message when no batch waits and no wave is to come. This runs in a transaction of its own after the batch's end
 * has committed: of two last batches the later one sees both. An ops message whose list names further channels falls back to
 * them first for the people who were not reached.
 */
export async function completeMessage(deps: Pick<Deps, 'db' | 'queue'>, tenantId: number, messageId: string): Promise<void> {
  const [row] = await deps.db.atOnce(tenantId, (tx) => COMPLETE(tx, { tenantId, messageId }));
  if (row?.fallback) await deps.queue.nudge('plan', { tenantId, waveId: row.fallback });
}

/** Has the connection plan the statement. */
export const warmUpComplete = (tx: Tx, tenantId: number, messageId: string): Promise<unknown> => COMPLETE(tx, { tenantId, messageId });

interface Values {
  tenantId: number;
  messageId: string;
}

/**
 * This is one statement, since every batch of every message ends with it: as five, it was a third of what sending to one
 * person costs. The fallback is the next channel for people whom the last wave failed to reach, at most once for each channel
 * of the list. Counters decide it; the planner then finds who is left and which channels were not tried for them.
 */
const COMPLETE = prepared<Values, { fallback: string | null }>(
  'complete_message',
  (at: Places<Values>) => sql`
    WITH open AS MATERIALIZED (
      SELECT m.id, m.class = 'ops' AND jsonb_typeof(m.channels) = 'array' AND NOT EXISTS (
        SELECT 1 FROM waves w
        WHERE w.tenant_id = m.tenant_id AND w.message_id = m.id AND w.selects = 'reached'
      ) AS may_fall_back
      FROM messages m
      WHERE m.tenant_id = ${at('tenantId')} AND m.id = ${at('messageId')} AND m.state = 'live'
        AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.message_id = m.id AND b.state IN ('planned', 'claimed'))
        AND NOT EXISTS (
          SELECT 1 FROM waves w
          WHERE w.tenant_id = m.tenant_id AND w.message_id = m.id AND w.state IN ('waiting', 'planning')
        )
      FOR UPDATE
    ), fallback AS (
      INSERT INTO waves (tenant_id, message_id, ordinal, channels, mode, selects, due_at)
      SELECT w.tenant_id, w.message_id, w.ordinal + 1, w.channels, 'first', 'not_reached', now()
      FROM open o JOIN waves w ON w.tenant_id = ${at('tenantId')} AND w.message_id = o.id
      WHERE o.may_fall_back
        AND w.selects <> 'ids'
        AND w.ordinal + 1 < cardinality(w.channels)
        AND w.ordinal = (
          SELECT max(x.ordinal) FROM waves x
          WHERE x.tenant_id = w.tenant_id AND x.message_id = w.message_id AND x.selects <> 'ids'
        )
        AND (SELECT sum(c.failed) FROM delivery_counts c WHERE c.message_id = w.message_id AND c.wave = w.ordinal) > 0
      ON CONFLICT DO NOTHING
      RETURNING id
    ), completed AS (
      UPDATE messages m SET state = 'completed', completed_at = now() FROM open o
      WHERE m.tenant_id = ${at('tenantId')} AND m.id = o.id AND NOT EXISTS (SELECT 1 FROM fallback)
      RETURNING 1
    )
    SELECT
      (SELECT id::text FROM fallback) AS fallback,
      (SELECT count(*) FROM completed),
      pg_notify('progress', ${at('tenantId')} || ':' || o.id)
    FROM open o`,
);
