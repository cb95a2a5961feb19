import type { InboundTextsTable } from '#schemas/database.ts';
import type { Page } from '#schemas/views.ts';
import { type Context, inTenant } from '#services/context.ts';
import { readIdCursor } from '#services/cursor.ts';
import { messageIdOf } from '#services/message-row.ts';

/** A text that somebody sent to one of our numbers. */
export interface InboundView {
  readonly id: string;
  readonly from: string;
  readonly recipientId: string | null;
  readonly name: string | null;
  readonly messageId: string | null;
  readonly body: string;
  /** What we answered; '' for nothing. */
  readonly reply: string;
  readonly outcome: InboundTextsTable['outcome'];
  readonly needsHuman: boolean;
  readonly at: string;
  readonly handledAt: string | null;
  readonly handledBy: string | null;
}

export interface ListInbound {
  readonly messageId?: string | undefined;
  /** Whether only texts are listed that still wait for a human. */
  readonly needsHuman?: boolean | undefined;
  readonly cursor?: string | undefined;
  /** 1 to 1000, default 100. */
  readonly limit?: number | undefined;
}

/** Lists texts, the newest first. @throws Problem 404 `message`; 422 `invalid_cursor` */
export async function listInbound(ctx: Context, input: ListInbound = {}): Promise<Page<InboundView>> {
  const limit = Math.min(Math.max(input.limit ?? 100, 1), 1000);
  const before = readIdCursor(ctx, 'inb', input.cursor);
  const messageId = input.messageId === undefined ? undefined : messageIdOf(ctx, input.messageId);
  const rows = await inTenant(ctx, (tx) => {
    let query = tx
      .selectFrom('inbound_texts as i')
      .leftJoin('recipients as r', (join) => join.onRef('r.tenant_id', '=', 'i.tenant_id').onRef('r.id', '=', 'i.recipient_id'))
      .selectAll('i')
      .select('r.name')
      .where('i.tenant_id', '=', ctx.tenantId)
      .orderBy('i.id', 'desc')
      .limit(limit + 1);
    if (input.needsHuman) query = query.where('i.needs_human', '=', true).where('i.handled_at', 'is', null);
    if (messageId !== undefined) query = query.where('i.message_id', '=', messageId);
    if (before !== undefined) query = query.where('i.id', '<', before);
    return query.execute();
  });
  const last = rows[limit - 1];
  const items = rows.slice(0, limit).map((row) => ({
    id: ctx.ids.encode('inb', row.id),
    from: row.from_address,
    recipientId: row.recipient_id && ctx.ids.encode('rcp', row.recipient_id),
    name: row.name,
    messageId: row.message_id && ctx.ids.encode('msg', row.message_id),
    body: row.body,
    reply: row.reply,
    outcome: row.outcome,
    needsHuman: row.needs_human,
    at: row.at.toISOString(),
    handledAt: row.handled_at?.toISOString() ?? null,
    handledBy: row.handled_by,
  }));
  return { items, next: rows.length > limit && last ? ctx.ids.encode('inb', last.id) : null };
}
