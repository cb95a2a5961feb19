import { suppress } from '#db/suppress.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant } from '#services/context.ts';
import { type SuppressionInput, suppressionKey } from './suppression-key.ts';

/**
 * Stops a sender (or all of the channel) from ever using an address. A sender that is stopped already keeps its first reason.
 * @returns how many senders were stopped now
 * @throws Problem 422 that names `address` or `senderId`
 */
export async function addSuppression(ctx: Context, input: SuppressionInput): Promise<{ added: number }> {
  return inTenant(ctx, async (tx) => {
    const { address, senderIds } = await suppressionKey(ctx, tx, input);
    const added = await suppress(
      tx,
      ctx.tenantId,
      senderIds.map((senderId) => ({ senderId, address, reason: 'manual', source: ctx.actor.label })),
    );
    await appendAudit(tx, ctx, 'suppression.add', senderIds.join(' '), { added: added.length });
    const view = { added: added.length };
    await ctx.idempotency?.complete(tx, 201, view);
    return view;
  });
}
