import { unpackRef } from '#domain/delivery/refs.ts';
import type { Deps } from '#services/context.ts';
import { recordReceipts } from './record-receipts.ts';
import { tenantOfMessage } from '#services/tenant-of-message.ts';

/** Whether we ever gave out this return path. */
export const isOurReturnPath = (deps: Pick<Deps, 'tokens'>, ref: string): boolean => deps.tokens.openLower('bounce', ref) !== undefined;

/**
 * A delivery report for a message that the relay had accepted. Permanent: the delivery failed, and a mailbox that does
 * not exist is suppressed for this sender. Delays change nothing: the relay is still trying.
 */
export async function receiveBounce(
  deps: Pick<Deps, 'db' | 'tokens'>,
  ref: string,
  bounce: { permanent: boolean; mailboxGone: boolean; status: string },
): Promise<void> {
  const sealed = deps.tokens.openLower('bounce', ref);
  const delivery = sealed && unpackRef(sealed);
  if (!delivery || !bounce.permanent) return;
  const tenantId = await tenantOfMessage(deps, delivery.messageId);
  if (tenantId === undefined) return;
  await recordReceipts(deps, tenantId, [
    { ref: delivery, state: 'failed', providerId: null, code: bounce.status, ...(bounce.mailboxGone ? { effect: 'no_mailbox' as const } : {}) },
  ]);
}
