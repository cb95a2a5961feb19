import { sql } from 'kysely';
import { mayHaveIt } from '#db/audience/plan-page.ts';
import type { Tx } from '#db/database.ts';
import { type Context, inTenant } from '#services/context.ts';
import { messageIdOf } from '#services/message-row.ts';

/** How many people a correction of this message goes to: everybody who may have had it, also by a call in doubt. */
export const countMayHave = (ctx: Context, publicId: string): Promise<number> =>
  inTenant(ctx, (tx) => countWhoMayHave(tx, ctx.tenantId, messageIdOf(ctx, publicId)));

/** Counts the same inside the caller's transaction. */
export async function countWhoMayHave(tx: Tx, tenantId: number, messageId: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    SELECT count(*)::float8 AS n FROM recipients r
    WHERE r.tenant_id = ${tenantId} AND r.erased_at IS NULL AND ${mayHaveIt(messageId)}`.execute(tx);
  return rows[0]?.n ?? 0;
}
