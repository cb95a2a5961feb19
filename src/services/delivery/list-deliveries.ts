import { sql } from 'kysely';
import { doubtText } from '#domain/delivery/doubt-text.ts';
import { type Channel, CHANNELS, type DeliveryState } from '#schemas/delivery.ts';
import type { DeliveryView, Page } from '#schemas/views.ts';
import type { Tx } from '#db/database.ts';
import { type Context, inTenant } from '#services/context.ts';
import { readCursor } from '#services/cursor.ts';
import { loadMessage } from '#services/message-row.ts';

export interface ListDeliveries {
  state?: DeliveryState | readonly DeliveryState[] | undefined;
  channel?: Channel | undefined;
  cursor?: string | undefined;
  /** 1 to 1000, default 100. */
  limit?: number | undefined;
}

interface Row {
  recipient_id: string;
  name: string | null;
  channel: Channel;
  wave: number;
  state: DeliveryState;
  attempts: number;
  code: string | null;
  marked_at: Date | null;
  settled_at: Date | null;
  provider_id: string | null;
}

type Position = { recipientId: string; channel: Channel; wave: number };

/** Lists a message's deliveries that have begun or ended, in the order of recipients; by keyset, so page 1,000 costs what page 1 does. */
export async function listDeliveries(ctx: Context, publicId: string, input: ListDeliveries = {}): Promise<Page<DeliveryView>> {
  const limit = Math.min(Math.max(input.limit ?? 100, 1), 1000);
  const after = readCursor(input.cursor, (cursor) => positionOf(ctx, cursor));
  const rows = await inTenant(ctx, async (tx) => readRows(tx, ctx, (await loadMessage(tx, ctx, publicId)).id, input, after, limit + 1));
  const last = rows[limit - 1];
  return {
    items: rows.slice(0, limit).map((row) => viewOf(ctx, row)),
    next: rows.length > limit && last ? `${ctx.ids.encode('rcp', last.recipient_id)}.${last.channel}.${last.wave}` : null,
  };
}

type Filter = Omit<ListDeliveries, 'cursor' | 'limit'>;

/** Gives every delivery in pages of 1,000, for exports; each page is a transaction of its own. */
export async function* streamDeliveries(ctx: Context, publicId: string, input: Filter = {}): AsyncIterable<DeliveryView[]> {
  const { id: messageId } = await inTenant(ctx, (tx) => loadMessage(tx, ctx, publicId));
  let after: Position | undefined;
  for (;;) {
    const rows = await inTenant(ctx, (tx) => readRows(tx, ctx, messageId, input, after, 1000));
    if (rows.length > 0) yield rows.map((row) => viewOf(ctx, row));
    const last = rows.at(-1);
    if (!last || rows.length < 1000) return;
    after = { recipientId: last.recipient_id, channel: last.channel, wave: last.wave };
  }
}

async function readRows(
  tx: Tx,
  ctx: Context,
  messageId: string,
  input: ListDeliveries,
  after: Position | undefined,
  limit: number,
): Promise<Row[]> {
  const states = input.state === undefined ? null : typeof input.state === 'string' ? [input.state] : [...input.state];
  const { rows } = await sql<Row>`
    SELECT d.recipient_id, p.name, d.channel, d.wave, d.state, d.attempts, d.code, d.marked_at, d.settled_at, d.provider_id
    FROM deliveries d
    LEFT JOIN recipients p ON p.tenant_id = d.tenant_id AND p.id = d.recipient_id
    WHERE d.message_id = ${messageId}
      AND d.tenant_id = ${ctx.tenantId}
      AND (${states}::delivery_state[] IS NULL OR d.state = ANY (${states}::delivery_state[]))
      AND (${input.channel ?? null}::channel IS NULL OR d.channel = ${input.channel ?? null}::channel)
      ${after ? behindSql(after) : sql``}
    ORDER BY d.recipient_id, d.channel, d.wave
    LIMIT ${limit}`.execute(tx);
  return rows;
}

const behindSql = ({ recipientId, channel, wave }: NonNullable<Position>) =>
  sql`AND (d.recipient_id, d.channel, d.wave) > (${recipientId}::bigint, ${channel}::channel, ${wave}::smallint)`;

/** The largest `smallint`, which is what the column of the wave holds. */
const LAST_WAVE = 32_767;

function positionOf(ctx: Context, cursor: string): Position | undefined {
  const [id = '', name, digits = ''] = cursor.split('.');
  const recipientId = ctx.ids.decode('rcp', id);
  const channel = CHANNELS.find((one) => one === name);
  const wave = /^\d{1,5}$/.test(digits) ? Number(digits) : Infinity;
  return recipientId === undefined || channel === undefined || wave > LAST_WAVE ? undefined : { recipientId, channel, wave };
}

const viewOf = (ctx: Context, row: Row): DeliveryView => {
  const markedAt = row.marked_at?.toISOString() ?? null;
  return {
    recipientId: ctx.ids.encode('rcp', row.recipient_id),
    name: row.name,
    channel: row.channel,
    wave: row.wave,
    state: row.state,
    attempts: row.attempts,
    code: row.code,
    markedAt,
    settledAt: row.settled_at?.toISOString() ?? null,
    providerId: row.provider_id,
    doubt: doubtText({ state: row.state, code: row.code, markedAt }),
  };
};
