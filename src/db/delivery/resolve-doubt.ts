import { sql } from 'kysely';
import { afterDoubt, maxAfterDoubt } from '#domain/delivery/delivery.ts';
import type { Tx } from '#db/database.ts';
import type { ClaimedBatch } from './claim-batch.ts';

/**
 * Ends doubts whose window for evidence has passed: bulk stays listed as `unresolved`, and life and ops are sent again while
 * attempts are left. This is the rule of `afterDoubt`, in SQL.
 */
export async function resolveDoubt(tx: Tx, batch: ClaimedBatch): Promise<void> {
  const { messageId, wave, channel, tenantId, lane } = batch;
  const exhausted = afterDoubt(lane, Number.POSITIVE_INFINITY);
  await sql`
    WITH moved AS (
      UPDATE deliveries d SET
        state = CASE WHEN ${lane} <> 'bulk' AND d.attempts < ${maxAfterDoubt(lane)} THEN 'pending' ELSE ${exhausted} END::delivery_state,
        code = CASE WHEN ${lane} = 'life' AND d.attempts >= ${maxAfterDoubt(lane)} THEN 'doubt_exhausted' ELSE d.code END,
        next_at = CASE WHEN ${lane} <> 'bulk' AND d.attempts < ${maxAfterDoubt(lane)} THEN now() END
      WHERE d.message_id = ${messageId}
        AND d.batch_id = ${batch.id}
        AND d.state = 'unknown' AND d.next_at <= now()
      RETURNING d.state
    )
    INSERT INTO delivery_counts AS c (message_id, wave, channel, slot, tenant_id, unknown, pending, failed, unresolved)
    SELECT
      ${messageId}, ${wave}, ${channel}::channel, pg_backend_pid() % 16, ${tenantId},
      -count(*),
      count(*) FILTER (WHERE state = 'pending'),
      count(*) FILTER (WHERE state = 'failed'),
      count(*) FILTER (WHERE state = 'unresolved')
    FROM moved
    HAVING count(*) > 0
    ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET
      unknown = c.unknown + excluded.unknown,
      pending = c.pending + excluded.pending,
      failed = c.failed + excluded.failed,
      unresolved = c.unresolved + excluded.unresolved`.execute(tx);
}

export interface DuePerson {
  id: string;
  /** How many calls in a row the worker died during: one of these people may be the reason. */
  crashes: number;
  /** The sender that called last. */
  senderId: number;
}

/** People of the batch whose next attempt is due; those beyond suspicion come first. */
export async function duePeople(tx: Tx, batch: ClaimedBatch): Promise<DuePerson[]> {
  const { rows } = await sql<DuePerson>`
    SELECT
      d.recipient_id AS id,
      CASE WHEN d.code = 'lease_passed' THEN d.attempts ELSE 0 END AS crashes,
      COALESCE(d.sender_id, ${batch.senderId}::int) AS "senderId"
    FROM deliveries d
    WHERE d.message_id = ${batch.messageId}
      AND d.batch_id = ${batch.id}
      AND d.state = 'pending'
      AND d.next_at <= now()
    ORDER BY 2, 1`.execute(tx);
  return rows;
}
