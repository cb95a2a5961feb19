import { sql } from 'kysely';
import type { MergeIssue } from '#domain/recipients/merge-recipients.ts';
import { type Context, inTenant } from '#services/context.ts';

export interface ImportResult {
  /** `imp_…` */
  id: string;
  /** Rows that held data; created, updated, unchanged, merged and rejected sum to it. */
  rows: number;
  created: number;
  updated: number;
  unchanged: number;
  /** Rows folded into a person of an earlier row, or into whom their address already belongs to. */
  merged: number;
  rejected: number;
  /** Of the rejected: people who asked to be erased. */
  erased: number;
  /** The first thousand, in the order of the file; `field` is `row` where the row as a whole is wrong. */
  errors: MergeIssue[];
  errorsTruncated: boolean;
  /** Rows that were taken, with something to look at. The first hundred. */
  warnings: MergeIssue[];
  warningCount: number;
}

/** Enough to see what is wrong with a file; the answer to the import itself names a thousand. */
const MAX_KEPT = 100;

/** Keeps what came of an import: one row, at its end. What is older than 90 days goes. */
export const recordImport = (ctx: Context, counted: Omit<ImportResult, 'id'>): Promise<ImportResult> =>
  inTenant(ctx, async (tx) => {
    const { created, updated, unchanged, merged, rejected, erased, errors } = counted;
    const { id } = await tx
      .insertInto('imports')
      .values({
        tenant_id: ctx.tenantId,
        imported_by: ctx.actor.label,
        created,
        updated,
        unchanged,
        merged,
        rejected,
        erased,
        // Never the detail, which may come to quote the row.
        rejected_rows: JSON.stringify(errors.slice(0, MAX_KEPT).map(({ line, field, code }) => ({ line, field, code }))),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await tx.deleteFrom('imports').where('tenant_id', '=', ctx.tenantId).where('finished_at', '<', sql<Date>`now() - interval '90 days'`).execute();
    return { id: ctx.ids.encode('imp', id), ...counted };
  });
