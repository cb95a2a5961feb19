import { notFound } from '#platform/errors.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant } from '#services/context.ts';
import { type SuppressionInput, suppressionKey } from './suppression-key.ts';

/**
 * Lets a sender (or all of the channel) use an address again, since the person has agreed anew.
 * @throws Problem 404 where nothing was suppressed; 422 that names `address` or `senderId`
 */
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
    const senders = removed.map((row) => row.sender_id).join(' ');
    await appendAudit(tx, ctx, 'suppression.remove', senders, { reasons: removed.map((row) => row.reason) });
  });
}
