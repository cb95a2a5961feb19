import type { Selectable } from 'kysely';
import type { Tx } from '#db/database.ts';
import type { ImportsTable } from '#schemas/database.ts';
import { notFound } from '#platform/errors.ts';
import type { Context } from '#services/context.ts';

/**
 * What is kept of an import, until an import that comes 90 days later removes it: counts, and where its file was wrong, but
 * nothing that stood in the file.
 */
export interface ImportView {
  readonly id: string;
  readonly finishedAt: string;
  readonly importedBy: string;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly merged: number;
  readonly rejected: number;
  /** How many of the rejected people asked to be erased. Nobody has to acknowledge those. */
  readonly erased: number;
  /** What is wrong with the first hundred rejected rows, in the order of the file. */
  readonly rejectedRows: readonly { line: number; field: string; code: string }[];
  readonly acknowledgedAt: string | null;
  readonly acknowledgedBy: string | null;
}

export type ImportRow = Selectable<ImportsTable>;

export const viewImport = (ctx: Context, row: ImportRow): ImportView => ({
  id: ctx.ids.encode('imp', row.id),
  finishedAt: row.finished_at.toISOString(),
  importedBy: row.imported_by,
  created: row.created,
  updated: row.updated,
  unchanged: row.unchanged,
  merged: row.merged,
  rejected: row.rejected,
  erased: row.erased,
  rejectedRows: row.rejected_rows,
  acknowledgedAt: row.acknowledged_at?.toISOString() ?? null,
  acknowledgedBy: row.acknowledged_by,
});

/** @throws Problem 404 */
export async function loadImport(tx: Tx, ctx: Context, publicId: string): Promise<ImportRow> {
  const id = ctx.ids.decode('imp', publicId);
  if (id === undefined) throw notFound('import');
  const ofTenant = tx.selectFrom('imports').selectAll().where('tenant_id', '=', ctx.tenantId);
  const row = await ofTenant.where('id', '=', id).executeTakeFirst();
  if (!row) throw notFound('import');
  return row;
}
