import type { Tx } from '#db/database.ts';
import type { MergeIssue, MergeRow } from '#domain/recipients/merge-recipients.ts';
import type { RecipientFields } from '#domain/recipients/recipient-fields.ts';
import type { Context } from '#services/context.ts';

const ERASABLE = ['external_id', 'phone', 'email'] as const;
type Erasable = (typeof ERASABLE)[number];

/** External ids share the list with addresses, and the prefix keeps the two apart. */
const subject = (key: Erasable, value: string): string => (key === 'external_id' ? `external_id ${value}` : value.toLowerCase());

/** Keyed hashes (MAC) of everything that names this person, for the list of erased people. */
export const erasureHashes = (ctx: Context, person: Readonly<Partial<Record<Erasable, string | null>>>): Buffer[] =>
  ERASABLE.flatMap((key) => (person[key] ? [ctx.tokens.mac('erasure', subject(key, person[key]))] : []));

/**
 * Finds the rows that would bring an erased person back, one issue a row. A tenant that never erased anybody pays one look at
 * an empty index.
 */
export async function erasedAmong(ctx: Context, tx: Tx, rows: readonly MergeRow[]): Promise<MergeIssue[]> {
  const any = await tx.selectFrom('erasures').select('tenant_id').where('tenant_id', '=', ctx.tenantId).limit(1).executeTakeFirst();
  if (!any) return [];
  const named = rows.flatMap((row) => hashesOf(ctx, row.fields).map((one) => ({ line: row.line, ...one })));
  const found = await tx
    .selectFrom('erasures')
    .select('address_hash')
    .where('tenant_id', '=', ctx.tenantId)
    .where(({ eb, fn, val }) => eb('address_hash', '=', fn.any(val(named.map((one) => one.hash)))))
    .execute();
  const erased = new Set(found.map((row) => row.address_hash.toString('base64')));
  const lines = new Set<number>();
  return named.flatMap(({ line, field, hash }) => {
    if (!erased.has(hash.toString('base64')) || lines.has(line)) return [];
    lines.add(line);
    return [{ line, field, code: 'erased', detail: 'this person asked to be erased and may only come back by joining' }];
  });
}

const hashesOf = (ctx: Context, fields: RecipientFields): { field: Erasable; hash: Buffer }[] =>
  ERASABLE.flatMap((field) => {
    const value = fields[field];
    return value === undefined ? [] : ctx.tokens.macs('erasure', subject(field, value)).map((hash) => ({ field, hash }));
  });
