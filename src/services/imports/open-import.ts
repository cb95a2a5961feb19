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

/** The newest of the last week, after which whoever wanted the rows has come back with them. One look into an index that is empty as a rule. */
export async function openImport(tx: Tx, ctx: Context): Promise<OpenImport | undefined> {
  const { rows } = await sql<{ id: string; finished_at: Date; rejected: number; others: number }>`
    SELECT id, finished_at, rejected - erased AS rejected, (count(*) OVER () - 1)::integer AS others FROM imports
    WHERE tenant_id = ${ctx.tenantId} AND acknowledged_at IS NULL AND rejected > erased AND finished_at > now() - interval '7 days'
    ORDER BY finished_at DESC, id DESC LIMIT 1`.execute(tx);
  const [row] = rows;
  return row && { id: ctx.ids.encode('imp', row.id), finishedAt: row.finished_at.toISOString(), rejected: row.rejected, others: row.others };
}

/** The same for a page that asks before it is refused. */
export const findOpenImport = (ctx: Context): Promise<OpenImport | undefined> => inTenant(ctx, (tx) => openImport(tx, ctx));
