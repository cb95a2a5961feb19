import { unpackRef } from '#domain/delivery/refs.ts';
import { factsOf } from '#schemas/channel-facts.ts';
import type { Deps } from '#services/context.ts';
import { recordReceipts } from './record-receipts.ts';
import { tenantOfMessage } from '#services/tenant-of-message.ts';

/**
 * The service worker says that it has shown a notification: that delivery is delivered. Repeats change nothing.
 * @returns false for a token that is none of ours
 */
export async function recordShown(deps: Pick<Deps, 'db' | 'tokens'>, token: string): Promise<boolean> {
  const sealed = deps.tokens.open('beacon', token);
  const ref = sealed && unpackRef(sealed);
  if (!ref || factsOf(ref.channel).evidence !== 'beacon') return false;
  const tenantId = await tenantOfMessage(deps, ref.messageId);
  if (tenantId === undefined) return false;
  await recordReceipts(deps, tenantId, [{ ref, state: 'delivered', providerId: null, code: null }]);
  return true;
}
