import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';

/**
 * Counts the people of the largest message that a tenant has launched. A drill is no measure for a live message, but a live
 * message is one for a drill. It is read from the ends of an index, however many messages there are.
 */
export async function largestSend(tx: Tx, tenantId: number, drill: boolean): Promise<number> {
  const largestOf = (drills: boolean) => sql`(
    SELECT max(m.audience_count)
    FROM messages m
    WHERE m.tenant_id = ${tenantId}
      AND m.drill = ${drills}
      AND m.launched_at IS NOT NULL
      AND m.kind = 'original')`;
  const largest = drill ? sql`GREATEST(${largestOf(false)}, ${largestOf(true)})` : largestOf(false);
  const { rows } = await sql<{ people: number }>`SELECT COALESCE(${largest}, 0)::float8 AS people`.execute(tx);
  return rows[0]?.people ?? 0;
}
