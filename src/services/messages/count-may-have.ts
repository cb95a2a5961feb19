import { sql } from 'kysely';
import { mayHaveIt } from '#db/audience/plan-page.ts';
import { type Context, inTenant } from '#services/context.ts';
import { messageIdOf } from '#services/message-row.ts';

/** How many people a correction of this message goes to: everybody who may have had it, also by a call in doubt. */
export async function countMayHave(ctx: Context, publicId: string): Promise<number> {
  const messageId = messageIdOf(ctx, publicId);
  return inTenant(ctx, async (tx) => {
    const { rows } = await sql<{ n: number }>`
      SELECT count(*)::float8 AS n FROM recipients r WHERE r.tenant_id = ${ctx.tenantId} AND r.erased_at IS NULL AND ${mayHaveIt(messageId)}`.execute(tx);
    return rows[0]?.n ?? 0;
  });
}
