import { sql } from 'kysely';
import { type Context, inTenant } from './context.ts';
import type { ImportResult } from './import-recipients.ts';

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
