import { sql } from 'kysely';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';
import { type ImportView, loadImport, viewImport } from './import-view.ts';

/**
 * Notes that a person has seen which rows were not taken, so that no launch asks about them any more. The first person to do
 * so stays named.
 * @throws Problem 403 `scope_missing` without `write`; 404
 */
export async function acknowledgeImport(ctx: Context, publicId: string): Promise<ImportView> {
  requireScope(ctx, 'write');
  return inTenant(ctx, async (tx) => {
    const { id, rejected, erased } = await loadImport(tx, ctx, publicId);
    const { numUpdatedRows } = await tx
      .updateTable('imports')
      .set({ acknowledged_at: sql`now()`, acknowledged_by: ctx.actor.label })
      .where('tenant_id', '=', ctx.tenantId)
      .where('id', '=', id)
      .where('acknowledged_at', 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows > 0n) await appendAudit(tx, ctx, 'import.acknowledge', id, { rejected, erased });
    const view = viewImport(ctx, await loadImport(tx, ctx, publicId));
    await ctx.idempotency?.complete(tx, 200, view);
    return view;
  });
}
