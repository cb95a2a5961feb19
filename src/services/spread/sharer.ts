import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';

export interface Sharer {
  readonly messageId: string;
  readonly parentId: string;
  /** How many steps the sharer is away from the first broadcast. */
  readonly generation: number;
}

/**
 * Counts a visit or a join for the person whose link it was. A person counts as a sharer at the first of either, since what
 * they did with the link themselves cannot be known. The tallies `share` and `visit` go by the sharer's generation, `join`
 * by the new person's.
 */
export async function countSharer(tx: Tx, tenantId: number, sharer: Sharer, what: 'visit' | 'join'): Promise<void> {
  const { messageId, parentId, generation } = sharer;
  const one = what === 'visit' ? sql`1, 0` : sql`0, 1`;
  const { rows } = await sql<{ fresh: boolean }>`
    INSERT INTO shares AS s (tenant_id, message_id, parent_id, generation, visits, joins)
    VALUES (${tenantId}, ${messageId}, ${parentId}, ${generation}, ${one})
    ON CONFLICT (message_id, parent_id) DO UPDATE
    SET visits = s.visits + excluded.visits, joins = s.joins + excluded.joins
    RETURNING s.visits + s.joins = 1 AS fresh`.execute(tx);
  const counts = [{ kind: what as string, key: String(what === 'join' ? generation + 1 : generation) }];
  if (rows[0]?.fresh) counts.push({ kind: 'share', key: String(generation) });
  const [kinds, keys] = [counts.map((c) => c.kind), counts.map((c) => c.key)];
  await sql`
    INSERT INTO tallies AS t (message_id, kind, key, slot, tenant_id, n)
    SELECT ${messageId}, c.kind, c.key, pg_backend_pid() % 16, ${tenantId}, 1
    FROM unnest(${kinds}::text[], ${keys}::text[]) c(kind, key)
    ORDER BY c.kind, c.key
    ON CONFLICT (message_id, kind, key, slot) DO UPDATE SET n = t.n + 1`.execute(tx);
}
