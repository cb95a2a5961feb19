import { sql } from 'kysely';
import { notFound } from '#platform/errors.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant } from '#services/context.ts';

/** Notes that a human has dealt with an inbound text. The first one stays named, and doing it again is no error. @throws Problem 404 */
export async function markHandled(ctx: Context, publicId: string): Promise<void> {
  const id = ctx.ids.decode('inb', publicId);
  if (id === undefined) throw notFound('text');
  await inTenant(ctx, async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('inbound_texts')
      .set({ handled_at: sql`now()`, handled_by: ctx.actor.label })
      .where('tenant_id', '=', ctx.tenantId)
      .where('id', '=', id)
      .where('handled_at', 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows > 0n) await appendAudit(tx, ctx, 'text.handled', id);
    else {
      const texts = tx.selectFrom('inbound_texts').select('id').where('tenant_id', '=', ctx.tenantId);
      if (!(await texts.where('id', '=', id).executeTakeFirst())) throw notFound('text');
    }
    await ctx.idempotency?.complete(tx, 200, { id: publicId, handled: true });
  });
}
