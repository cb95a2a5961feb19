import { policyOf } from '#domain/plan.ts';
import { type Context, inTenant } from './context.ts';
import { loadMessage } from './message-row.ts';

/** Whether a draft for so many people may be sent by one person: `needed` until a second one approved this audience. */
export async function approvalState(ctx: Context, publicId: string, audience: { count: number; hash: string }): Promise<'none' | 'needed' | 'given'> {
  return inTenant(ctx, async (tx) => {
    const row = await loadMessage(tx, ctx, publicId);
    const { policy } = await tx.selectFrom('tenants').select('policy').where('tenant_id', '=', ctx.tenantId).executeTakeFirstOrThrow();
    const limit = policyOf(policy).approvalAbove[row.class];
    if (limit === null || audience.count <= limit) return 'none';
    return row.approved_at !== null && row.audience_hash === audience.hash ? 'given' : 'needed';
  });
}
