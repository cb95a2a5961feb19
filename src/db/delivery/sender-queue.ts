import { sql } from 'kysely';
import type { MessageClass } from '#schemas/delivery.ts';
import type { Tx } from '#db/database.ts';

export interface SenderQueue {
  senderId: number;
  lane: MessageClass;
  units: number;
}

/**
 * Counts what waits at some senders already and may go now: people of other live messages who have no row yet, in units of the
 * sender's rate. It reads the batches (a million waiting people are 4,000 of them, read in 10 ms) and not the deliveries. The
 * two halves are apart so that each is answered by its partial index.
 * @param except a message that is not counted
 */
export async function senderQueues(tx: Tx, tenantId: number, senderIds: readonly number[], except: string | null): Promise<SenderQueue[]> {
  if (senderIds.length === 0) return [];
  const waiting = (state: 'planned' | 'claimed') => sql`
      SELECT b.message_id, b.sender_id, b.lane, b.channel, cardinality(b.ids) - b.marked AS people
      FROM batches b
      WHERE b.tenant_id = ${tenantId}
        AND b.state = ${sql.lit(state)}
        AND b.due_at <= now() + interval '1 minute'
        AND b.sender_id = ANY (${[...senderIds]}::int[])
        AND b.message_id IS DISTINCT FROM ${except}::bigint`;
  const { rows } = await sql<SenderQueue>`
    SELECT w.sender_id AS "senderId", w.lane, sum(w.people * COALESCE(f.units, 1))::float8 AS units
    FROM (${waiting('planned')} UNION ALL ${waiting('claimed')}) w
    JOIN messages m ON m.tenant_id = ${tenantId} AND m.id = w.message_id AND m.state = 'live'
    LEFT JOIN LATERAL (
      SELECT (c ->> 'unitsPerCall')::float8 AS units
      FROM jsonb_array_elements(m.forecast -> 'perChannel') c
      WHERE c ->> 'channel' = w.channel::text
    ) f ON true
    WHERE w.people > 0
    GROUP BY w.sender_id, w.lane`.execute(tx);
  return rows;
}
