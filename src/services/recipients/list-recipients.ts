import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import type { RecipientView } from '#schemas/recipient.ts';
import type { Page } from '#schemas/views.ts';
import { type Context, inTenant } from '#services/context.ts';
import { readIdCursor } from '#services/cursor.ts';
import { type RecipientRow, selectRecipients, viewRecipient } from './recipient-view.ts';

export interface RecipientSearch {
  /** Part of a name, telephone number or e-mail address, or a whole external id. */
  q?: string | undefined;
  tag?: string | undefined;
  skill?: string | undefined;
}

export interface ListRecipients extends RecipientSearch {
  cursor?: string | undefined;
  /** 1 to 500, default 50. */
  limit?: number | undefined;
}

/**
 * People of the tenant without the erased ones, the newest first. The cursor is the id of the last person seen.
 * @throws Problem 422 `invalid_cursor`
 */
export async function listRecipients(ctx: Context, input: ListRecipients = {}): Promise<Page<RecipientView>> {
  const limit = Math.min(Math.max(input.limit ?? 50, 1), 500);
  const before = readIdCursor(ctx, 'rcp', input.cursor);
  const rows = await inTenant(ctx, (tx) => readPage(tx, ctx, input, before, limit + 1));
  const items = rows.slice(0, limit).map((row) => viewRecipient(ctx, row));
  return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
}

/** Everybody who matches, in pages of 1,000, for exports. Each page is a transaction of its own. */
export async function* streamRecipients(ctx: Context, input: RecipientSearch = {}): AsyncGenerator<RecipientView[]> {
  let before: string | undefined;
  for (;;) {
    const rows: RecipientRow[] = await inTenant(ctx, (tx) => readPage(tx, ctx, input, before, 1_000));
    if (rows.length > 0) yield rows.map((row) => viewRecipient(ctx, row));
    const last = rows.at(-1);
    if (!last || rows.length < 1_000) return;
    before = last.id;
  }
}

const escapeLike = (text: string): string => text.replace(/[\\%_]/g, '\\$&');

/** Reads the tenant from its newest person on until the page is full: about a second at a million people and no hit. */
async function readPage(tx: Tx, ctx: Context, search: RecipientSearch, before: string | undefined, limit: number): Promise<RecipientRow[]> {
  const { q, tag, skill } = search;
  let query = selectRecipients(tx, ctx.tenantId).where('r.erased_at', 'is', null).orderBy('r.id', 'desc').limit(limit);
  if (before !== undefined) query = query.where('r.id', '<', before);
  if (tag !== undefined) query = query.where(sql<boolean>`r.tags && ARRAY[${tag}]::text[]`);
  if (skill !== undefined) query = query.where(sql<boolean>`r.skills && ARRAY[${skill}]::text[]`);
  const words = q?.trim() ?? '';
  if (words !== '') {
    const part = `%${escapeLike(words)}%`;
    const digits = /^[\d\s()+./-]+$/.test(words) ? words.replace(/\D/g, '').replace(/^0+/, '') : '';
    query = query.where(({ or, eb }) =>
      or([
        eb('r.name', 'ilike', part),
        eb('r.email', 'like', part.toLowerCase()),
        eb('r.external_id', '=', words),
        ...(digits.length >= 3 ? [eb('r.phone', 'like', `%${digits}%`)] : []),
      ]),
    );
  }
  return query.execute();
}
