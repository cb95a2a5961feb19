import type { MessageState } from '#schemas/delivery.ts';
import type { MessageView, Page } from '#schemas/views.ts';
import { type Context, inTenant } from '#services/context.ts';
import { readIdCursor } from '#services/cursor.ts';
import { viewMessages } from './message-view.ts';

export interface ListMessages {
  cursor?: string | undefined;
  /** 1 to 100, default 25. */
  limit?: number | undefined;
  state?: MessageState | undefined;
}

/** Messages of the tenant, newest first. The cursor is the id of the last one seen. */
export async function listMessages(ctx: Context, input: ListMessages = {}): Promise<Page<MessageView>> {
  const limit = Math.min(Math.max(input.limit ?? 25, 1), 100);
  const before = readIdCursor(ctx, 'msg', input.cursor);
  return inTenant(ctx, async (tx) => {
    let query = tx
      .selectFrom('messages')
      .selectAll()
      .where('tenant_id', '=', ctx.tenantId)
      .orderBy('id', 'desc')
      .limit(limit + 1);
    if (before !== undefined) query = query.where('id', '<', before);
    if (input.state) query = query.where('state', '=', input.state);
    const rows = await query.execute();
    const items = await viewMessages(tx, ctx, rows.slice(0, limit));
    return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
  });
}
