import { largestSend } from '#db/audience/largest-send.ts';
import type { Tx } from '#db/database.ts';
import { type ApproverRule, approverRule, policyOf } from '#domain/message/policy.ts';
import type { LaunchFacts } from '#services/organisations/launch-facts.ts';
import type { MessageRow } from '#services/message-row.ts';

/**
 * Why a message to so many people needs a second person, by the tenant's policy and history; undefined where it does not.
 * @param known the tenant, where the caller has read it
 */
export async function approvalRule(
  tx: Tx,
  tenantId: number,
  message: Pick<MessageRow, 'class' | 'drill'>,
  people: number,
  known?: Pick<LaunchFacts, 'policy'>,
): Promise<ApproverRule | undefined> {
  const row = known ?? (await tx.selectFrom('tenants').select('policy').where('tenant_id', '=', tenantId).executeTakeFirstOrThrow());
  const policy = policyOf(row.policy);
  const largest = policy.doubling ? await largestSend(tx, tenantId, message.drill) : 0;
  return approverRule(policy, message.class, people, largest);
}
