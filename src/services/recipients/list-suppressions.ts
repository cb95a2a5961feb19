import { sql } from 'kysely';
import { invalidField } from '#platform/errors.ts';
import type { SuppressionView } from '#schemas/recipient.ts';
import type { Page } from '#schemas/views.ts';
import { type Context, inTenant } from '#services/context.ts';

/**
 * The addresses that a sender may not use, in the order of sender and address; `limit` 1 to 1,000, default 100.
 * @throws Problem 422 `invalid_cursor`
 */
export async function listSuppressions(ctx: Context, input: { cursor?: string | undefined; limit?: number | undefined } = {}): Promise<Page<SuppressionView>> {
  const limit = Math.min(Math.max(input.limit ?? 100, 1), 1_000);
  const after = input.cursor === undefined ? undefined : readCursor(input.cursor);
  const rows = await inTenant(ctx, (tx) => {
    let query = tx
      .selectFrom('suppressions')
      .select(['sender_id', 'address', 'reason', 'source', 'created_at'])
      .where('tenant_id', '=', ctx.tenantId)
      .orderBy('sender_id')
      .orderBy('address')
      .limit(limit + 1);
    if (after) query = query.where(sql<boolean>`(sender_id, address) > (${after.senderId}::integer, ${after.address})`);
    return query.execute();
  });
  const last = rows[limit - 1];
  return {
    items: rows.slice(0, limit).map((row) => ({
      senderId: ctx.ids.encode('snd', row.sender_id),
      address: row.address,
      reason: row.reason,
      source: row.source,
      createdAt: row.created_at.toISOString(),
    })),
    next: rows.length > limit && last ? Buffer.from(JSON.stringify([last.sender_id, last.address])).toString('base64url') : null,
  };
}

function readCursor(cursor: string): { senderId: number; address: string } {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(value) && Number.isInteger(value[0]) && typeof value[1] === 'string') return { senderId: value[0] as number, address: value[1] };
  } catch {
    // Not one of ours: the same refusal.
  }
  throw invalidField('cursor', 'invalid_cursor', 'is not a cursor that a list gave out');
}
