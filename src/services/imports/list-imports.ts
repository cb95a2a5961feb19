import type { Page } from '#schemas/views.ts';
import { type Context, inTenant } from '#services/context.ts';
import { readIdCursor } from '#services/cursor.ts';
import { type ImportView, viewImport } from './import-view.ts';

/**
 * The imports of the last 90 days, the newest first; `limit` 1 to 500, default 100.
 * @throws Problem 422 `invalid_cursor`
 */
export async function listImports(
  ctx: Context,
  input: { cursor?: string | undefined; limit?: number | undefined } = {},
): Promise<Page<ImportView>> {
  const limit = Math.min(Math.max(input.limit ?? 100, 1), 500);
  const before = readIdCursor(ctx, 'imp', input.cursor);
  const rows = await inTenant(ctx, (tx) => {
    const query = tx
      .selectFrom('imports')
      .selectAll()
      .where('tenant_id', '=', ctx.tenantId)
      .orderBy('id', 'desc')
      .limit(limit + 1);
    return (before === undefined ? query : query.where('id', '<', before)).execute();
  });
  const items = rows.slice(0, limit).map((row) => viewImport(ctx, row));
  return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
}
