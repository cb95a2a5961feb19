import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { notFound } from '#platform/errors.ts';
import type { AnswerWay } from '#schemas/delivery.ts';
import type { Page } from '#schemas/views.ts';
import { type Context, inTenant } from '#services/context.ts';
import { readTimeCursor, timeCursor, type TimePosition } from '#services/cursor.ts';
import { messageIdOf } from '#services/message-row.ts';

/** The answer of one person that is in force now. */
export interface AnswerView {
  readonly recipientId: string;
  readonly name: string | null;
  readonly key: string;
  readonly label: string;
  readonly way: AnswerWay;
  readonly at: string;
  /** The first answer and its time never change. */
  readonly firstKey: string;
  readonly firstAt: string;
  readonly changes: number;
  readonly etaAt: string | null;
  readonly note: string | null;
}

export interface ListAnswers {
  readonly key?: string | undefined;
  readonly cursor?: string | undefined;
  /** 1 to 1000, default 100. */
  readonly limit?: number | undefined;
}

interface Row {
  recipient_id: string;
  name: string | null;
  key: string;
  label: string | null;
  way: AnswerWay;
  answered_at: Date;
  /** The time in microseconds, since a JavaScript date would lose the last three digits of the cursor. */
  position: string;
  first_key: string;
  first_at: Date;
  changes: number;
  eta_at: Date | null;
  note: string | null;
}

/**
 * The answers in force of a message, the newest first, in pages by keyset.
 * @throws Problem 404 for the message; 422 `invalid_cursor`
 */
export async function listAnswers(ctx: Context, publicMessageId: string, input: ListAnswers = {}): Promise<Page<AnswerView>> {
  const limit = Math.min(Math.max(input.limit ?? 100, 1), 1000);
  const messageId = messageIdOf(ctx, publicMessageId);
  const rows = await inTenant(ctx, (tx) => readRows(tx, ctx, messageId, input.key, readTimeCursor(ctx, input.cursor), limit + 1));
  const last = rows[limit - 1];
  return {
    items: rows.slice(0, limit).map((row) => viewOf(ctx, row)),
    next: rows.length > limit && last ? timeCursor(ctx, { at: last.position, recipientId: last.recipient_id }) : null,
  };
}

/** All answers in force in pages of 1,000, for exports. Each page is a transaction of its own. */
export async function* streamAnswers(ctx: Context, publicMessageId: string, key?: string): AsyncGenerator<AnswerView[]> {
  const messageId = messageIdOf(ctx, publicMessageId);
  for (let after: TimePosition | undefined; ; ) {
    const from = after;
    const rows = await inTenant(ctx, (tx) => readRows(tx, ctx, messageId, key, from, 1000));
    if (rows.length > 0 || from === undefined) yield rows.map((row) => viewOf(ctx, row));
    const last = rows.at(-1);
    if (!last || rows.length < 1000) return;
    after = { at: last.position, recipientId: last.recipient_id };
  }
}

async function readRows(
  tx: Tx,
  ctx: Context,
  messageId: string,
  key: string | undefined,
  after: TimePosition | undefined,
  limit: number,
): Promise<Row[]> {
  const ofTenant = tx.selectFrom('messages').select('id').where('tenant_id', '=', ctx.tenantId);
  if (!(await ofTenant.where('id', '=', messageId).executeTakeFirst())) throw notFound('message');
  const { rows } = await sql<Row>`
    SELECT a.recipient_id, r.name, a.key, o.label, a.way, a.answered_at,
      (extract(epoch FROM a.answered_at) * 1000000)::bigint::text AS position,
      a.first_key, a.first_at, a.changes, a.eta_at, a.note
    FROM answers a
    LEFT JOIN recipients r ON r.tenant_id = a.tenant_id AND r.id = a.recipient_id
    LEFT JOIN LATERAL (
      SELECT e->>'label' AS label
      FROM messages m, jsonb_array_elements(m.answers) e
      WHERE m.tenant_id = a.tenant_id
        AND m.id = a.message_id
        AND e->>'key' = a.key
      LIMIT 1
    ) o ON true
    WHERE a.message_id = ${messageId}
      AND a.tenant_id = ${ctx.tenantId}
      AND (${key ?? null}::text IS NULL OR a.key = ${key ?? null})
      AND ${isAfter(after)}
    ORDER BY a.answered_at DESC, a.recipient_id DESC
    LIMIT ${limit}`.execute(tx);
  return rows;
}

/** The answer `a` comes after the last one that was seen. */
function isAfter(position: TimePosition | undefined) {
  if (!position) return sql<boolean>`true`;
  const at = sql`to_timestamp(0) + ${position.at}::bigint * interval '1 microsecond'`;
  return sql<boolean>`(a.answered_at, a.recipient_id) < (${at}, ${position.recipientId}::bigint)`;
}

const viewOf = (ctx: Context, row: Row): AnswerView => ({
  recipientId: ctx.ids.encode('rcp', row.recipient_id),
  name: row.name,
  key: row.key,
  label: row.label ?? row.key,
  way: row.way,
  at: row.answered_at.toISOString(),
  firstKey: row.first_key,
  firstAt: row.first_at.toISOString(),
  changes: row.changes,
  etaAt: row.eta_at?.toISOString() ?? null,
  note: row.note,
});
