import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';

type ClosedState = 'cancelled' | 'expired' | 'unresolved';

/** How many batches are closed in one transaction: 10,000 people at most, so that no lock is held long. */
const BATCHES_A_STEP = 20;

/**
 * Ends what a stopped or expired message still has queued: people not yet marked and those waiting for another attempt
 * become `cancelled` or `expired`. Claimed batches are left to their workers, whose next mark is refused.
 *
 * @returns how many batches were closed in this step; 0 when nothing is left to close now
 */
export async function closeBatches(tx: Tx, tenantId: number, messageId: string, state: ClosedState): Promise<number> {
  const ended = sql.ref(state);
  const { rows } = await sql<{ batches: number }>`
    WITH closing AS (
      SELECT b.id, b.wave, b.channel, b.sender_id, b.ids[b.marked + 1:] AS rest
      FROM batches b
      WHERE b.tenant_id = ${tenantId} AND b.message_id = ${messageId} AND b.state = 'planned'
      ORDER BY b.id
      LIMIT ${BATCHES_A_STEP}
      FOR UPDATE SKIP LOCKED
    ), unmarked AS (
      INSERT INTO deliveries (message_id, recipient_id, channel, wave, tenant_id, sender_id, batch_id, state, settled_at)
      SELECT ${messageId}, u.id, c.channel, c.wave, ${tenantId}, c.sender_id, c.id, ${state}::delivery_state, now()
      FROM closing c
      CROSS JOIN LATERAL unnest(c.rest) u(id)
      ORDER BY u.id
      ON CONFLICT DO NOTHING
      RETURNING wave, channel
    ), waiting AS (
      UPDATE deliveries d SET state = ${state}::delivery_state, settled_at = now(), next_at = NULL
      FROM closing c
      WHERE d.message_id = ${messageId} AND d.batch_id = c.id AND d.next_at IS NOT NULL AND d.state = 'pending'
      RETURNING d.wave, d.channel
    ), counted AS (
      INSERT INTO delivery_counts AS n (message_id, wave, channel, slot, tenant_id, pending, ${ended})
      SELECT ${messageId}, x.wave, x.channel, pg_backend_pid() % 16, ${tenantId}, -count(*), count(*)
      FROM (SELECT * FROM unmarked UNION ALL SELECT * FROM waiting) x
      GROUP BY x.wave, x.channel
      ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET
        pending = n.pending + excluded.pending,
        ${ended} = n.${ended} + ${sql.ref(`excluded.${state}`)}
    ), done AS (
      UPDATE batches b SET marked = cardinality(b.ids), state = 'done'
      FROM closing c WHERE b.tenant_id = ${tenantId} AND b.id = c.id
      RETURNING 1
    )
    SELECT (SELECT count(*)::int FROM done) AS batches`.execute(tx);
  return rows[0]?.batches ?? 0;
}

/** Lists as unresolved what is still in doubt when its window has passed: after a stop nothing is sent again. */
export async function settleDoubtOfClosed(tx: Tx, tenantId: number, messageId: string): Promise<number> {
  const { rows } = await sql<{ left: number }>`
    WITH moved AS (
      UPDATE deliveries d SET state = 'unresolved'
      WHERE d.message_id = ${messageId} AND d.state = 'unknown' AND d.next_at <= now()
      RETURNING d.wave, d.channel
    ), counted AS (
      INSERT INTO delivery_counts AS n (message_id, wave, channel, slot, tenant_id, unknown, unresolved)
      SELECT ${messageId}, wave, channel, pg_backend_pid() % 16, ${tenantId}, -count(*), count(*)
      FROM moved
      GROUP BY wave, channel
      ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET
        unknown = n.unknown + excluded.unknown,
        unresolved = n.unresolved + excluded.unresolved
    )
    SELECT
      (SELECT count(*)::int FROM deliveries d WHERE d.message_id = ${messageId} AND d.state = 'unknown')
      - (SELECT count(*)::int FROM moved) AS left`.execute(tx);
  return rows[0]?.left ?? 0;
}
