import { sql } from 'kysely';
import type { Condition } from './audience-sql.ts';
import type { Tx } from '#db/database.ts';

/** A preview is made while somebody types, so it reads this many rows at most. */
const ROWS_MAX = 1_000_000;

/**
 * Counts the people who have had so many messages within the hour that another one leaves them out. No person is looked at
 * while the tenant's messages of the hour are fewer than the ceiling.
 * @param ceiling messages a person and hour
 * @returns null where the messages of the hour went to too many people to count
 */
export async function peopleAtCeiling(tx: Tx, tenantId: number, condition: Condition, ceiling: number): Promise<number | null> {
  const { rows: recent } = await sql<{ id: string; people: number }>`
    SELECT id, frozen_count::float8 AS people
    FROM messages
    WHERE tenant_id = ${tenantId}
      AND launched_at IS NOT NULL
      AND COALESCE(completed_at, 'infinity') > now() - interval '1 hour'`.execute(tx);
  if (recent.length < ceiling) return 0;
  if (recent.reduce((sum, { people }) => sum + people, 0) > ROWS_MAX) return null;
  const { rows } = await sql<{ n: number }>`
    WITH at_ceiling AS (
      SELECT d.recipient_id AS id
      FROM deliveries d
      WHERE d.message_id = ANY (${recent.map(({ id }) => id)}::bigint[])
        AND d.attempts > 0
        AND d.marked_at > now() - interval '1 hour'
      GROUP BY d.recipient_id
      HAVING count(DISTINCT d.message_id) >= ${ceiling}
    )
    SELECT count(*)::float8 AS n
    FROM at_ceiling
    JOIN recipients r ON r.tenant_id = ${tenantId} AND r.id = at_ceiling.id
    WHERE r.erased_at IS NULL
      AND ${condition}`.execute(tx);
  return rows[0]?.n ?? 0;
}
