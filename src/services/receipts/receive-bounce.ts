import type { Evidence } from '#domain/delivery/evidence.ts';
import { unpackRef } from '#domain/delivery/refs.ts';
import { factsOf } from '#schemas/channel-facts.ts';
import type { Deps } from '#services/context.ts';
import { recordReceipts } from './record-receipts.ts';
import { tenantOfMessage } from '#services/tenant-of-message.ts';

/** Whether we ever gave out this return path. */
export const isOurReturnPath = (deps: Pick<Deps, 'tokens'>, token: string): boolean => deps.tokens.openLower('bounce', token) !== undefined;

/** Records what came back on the return path of a message that its relay had accepted. */
export async function receiveBounce(deps: Pick<Deps, 'db' | 'tokens'>, token: string, evidence: Evidence): Promise<void> {
  const sealed = deps.tokens.openLower('bounce', token);
  const ref = sealed && unpackRef(sealed);
  if (!ref || factsOf(ref.channel).evidence !== 'bounce') return;
  const tenantId = await tenantOfMessage(deps, ref.messageId);
  if (tenantId !== undefined) await recordReceipts(deps, tenantId, [{ ref, ...evidence }]);
}
