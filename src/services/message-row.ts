import type { Selectable } from 'kysely';
import type { Tx } from '#db/database.ts';
import { notFound } from '#platform/errors.ts';
import type { MessagesTable } from '#schemas/database.ts';
import type { Context } from './context.ts';

export type MessageRow = Selectable<MessagesTable>;

/**
 * The row's number behind a public id.
 * @throws Problem 404 for anything else
 */
export function messageIdOf(ctx: Context, publicId: string): string {
  const id = ctx.ids.decode('msg', publicId);
  if (id === undefined) throw notFound('message');
  return id;
}

/**
 * The message's row, locked for a change of state when asked.
 * @throws Problem 404 where the tenant has no such message
 */
export async function loadMessage(tx: Tx, ctx: Context, publicId: string, lock = false): Promise<MessageRow> {
  const id = messageIdOf(ctx, publicId);
  let query = tx.selectFrom('messages').selectAll().where('tenant_id', '=', ctx.tenantId).where('id', '=', id);
  if (lock) query = query.forUpdate();
  const row = await query.executeTakeFirst();
  if (!row) throw notFound('message');
  return row;
}
