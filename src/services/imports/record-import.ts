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
  /** Rows that became part of a person of an earlier row, or of a stored person who has their address. */
  merged: number;
  rejected: number;
  /** How many of the rejected people asked to be erased. */
  erased: number;
  /** The first thousand, in the order of the file; `field` is `row` where the row as a whole is wrong. */
  errors: MergeIssue[];
  errorsTruncated: boolean;
  /** Rows that were taken although something in them should be looked at; the first hundred. */
  warnings: MergeIssue[];
  warningCount: number;
}

/** A hundred rows are enough to see what is wrong with a file; the answer to the import itself names a thousand. */
const MAX_KEPT = 100;

/** Keeps what came of an import, as one row, and deletes the imports of the tenant that ended more than 90 days ago. */
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
        // The detail stays out, since it may quote the row.
        rejected_rows: JSON.stringify(errors.slice(0, MAX_KEPT).map(({ line, field, code }) => ({ line, field, code }))),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    const ofTenant = tx.deleteFrom('imports').where('tenant_id', '=', ctx.tenantId);
    await ofTenant.where('finished_at', '<', sql<Date>`now() - interval '90 days'`).execute();
    return { id: ctx.ids.encode('imp', id), ...counted };
  });
