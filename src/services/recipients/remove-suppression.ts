import { notFound } from '#platform/errors.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant } from '#services/context.ts';
import { type SuppressionInput, suppressionKey } from './suppression-key.ts';

/** Lets a sender (or all of the channel) use an address again: for renewed consent. Throws 404 where nothing was suppressed. */
export async function removeSuppression(ctx: Context, input: SuppressionInput): Promise<void> {
  await inTenant(ctx, async (tx) => {
    const { address, senderIds } = await suppressionKey(ctx, tx, input);
    const removed =
      senderIds.length === 0
        ? []
        : await tx
            .deleteFrom('suppressions')
            .where('tenant_id', '=', ctx.tenantId)
            .where('sender_id', 'in', senderIds)
            .where('address', '=', address)
            .returning(['sender_id', 'reason'])
            .execute();
    if (removed.length === 0) throw notFound('suppression');
    await appendAudit(tx, ctx, 'suppression.remove', removed.map((row) => row.sender_id).join(' '), { reasons: removed.map((row) => row.reason) });
  });
}
