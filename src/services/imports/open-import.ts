import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { type Context, inTenant } from '#services/context.ts';

/** An import with rejected rows that nobody has acknowledged. */
export interface OpenImport {
  readonly id: string;
  readonly finishedAt: string;
  /** Rows that were not taken, without those of people who were erased. */
  readonly rejected: number;
  /** How many more imports are like it. */
  readonly others: number;
}

/**
 * The newest open import of the last 7 days. After a week the people who wanted the rejected rows have come back with them.
 * It costs one look into an index that is empty as a rule.
 */
export async function openImport(tx: Tx, ctx: Context): Promise<OpenImport | undefined> {
  const { rows } = await sql<{ id: string; finished_at: Date; rejected: number; others: number }>`
    SELECT id, finished_at, rejected - erased AS rejected, (count(*) OVER () - 1)::integer AS others
    FROM imports
    WHERE tenant_id = ${ctx.tenantId}
      AND acknowledged_at IS NULL
      AND rejected > erased
      AND finished_at > now() - interval '7 days'
    ORDER BY finished_at DESC, id DESC
    LIMIT 1`.execute(tx);
  const [row] = rows;
  if (!row) return undefined;
  const { finished_at, rejected, others } = row;
  return { id: ctx.ids.encode('imp', row.id), finishedAt: finished_at.toISOString(), rejected, others };
}

/** Does what `openImport` does, in a transaction of its own, for a page that asks before the launch is refused. */
export const findOpenImport = (ctx: Context): Promise<OpenImport | undefined> => inTenant(ctx, (tx) => openImport(tx, ctx));
