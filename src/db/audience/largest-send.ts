import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';

/** Messages that are looked at, the largest audiences first. */
const LOOKED_AT = 50;

/**
 * How many people the largest message that a tenant has sent was handed over for. People whom nobody called do not count: a
 * launch to everybody that is stopped at once proves nothing. A drill is no measure for a live message; the reverse is. The
 * messages are read from the end of an index, however many there are.
 */
export async function largestSend(tx: Tx, tenantId: number, drill: boolean): Promise<number> {
  const largest = (drills: boolean) => sql`(
    SELECT m.id, m.audience_count FROM messages m
    WHERE m.tenant_id = ${tenantId} AND m.drill = ${drills} AND m.launched_at IS NOT NULL AND m.kind = 'original'
    ORDER BY m.audience_count DESC NULLS LAST
    LIMIT ${LOOKED_AT}
  )`;
  const { rows } = await sql<{ people: number }>`
    SELECT COALESCE(max(LEAST(m.audience_count, c.called)), 0)::float8 AS people
    FROM (${drill ? sql`${largest(false)} UNION ALL ${largest(true)}` : largest(false)}) m
    CROSS JOIN LATERAL (
      SELECT COALESCE(sum(d.accepted + d.delivered + d.unknown + d.unresolved), 0) AS called
      FROM delivery_counts d
      WHERE d.message_id = m.id
    ) c`.execute(tx);
  return rows[0]?.people ?? 0;
}
