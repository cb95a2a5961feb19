import type { ApproverRule } from '#domain/message/policy.ts';
import { approvalRule } from './approval-rule.ts';
import { type Context, inTenant } from '#services/context.ts';
import { loadMessage } from '#services/message-row.ts';

export interface ApprovalState {
  /** `needed` until a second person approved this audience. */
  readonly state: 'none' | 'needed' | 'given';
  /** Why one person may not decide alone. */
  readonly rule?: ApproverRule;
}

/** Says whether one person may send a draft to so many people. */
export async function approvalState(ctx: Context, publicId: string, audience: { count: number; hash: string }): Promise<ApprovalState> {
  return inTenant(ctx, async (tx) => {
    const row = await loadMessage(tx, ctx, publicId);
    const rule = await approvalRule(tx, ctx.tenantId, row, audience.count);
    if (!rule) return { state: 'none' };
    return { state: row.approved_at !== null && row.audience_hash === audience.hash ? 'given' : 'needed', rule };
  });
}
