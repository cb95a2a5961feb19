import { parseTwilioStatus } from '#channels/sms/twilio/status.ts';
import { unpackRef } from '#domain/delivery/refs.ts';
import { notFound, Problem } from '#platform/errors.ts';
import type { Deps } from '#services/context.ts';
import { receiptWriter } from './receipt-writer.ts';
import { tenantOfMessage } from '#services/tenant-of-message.ts';
import { type TwilioWebhook, verifyWebhook } from '#channels/sms/twilio/webhook.ts';

export interface TwilioStatus extends TwilioWebhook {
  /** From the callback's path: the sealed delivery reference that we gave Twilio. */
  readonly token: string;
}

/**
 * Records one signed status callback. Resolves when the receipt is committed; a status that says nothing of the
 * delivery's fate changes nothing.
 * @throws Problem 403 forged or of another account; 404 a reference that names no message
 */
export async function receiveTwilioStatus(deps: Deps, callback: TwilioStatus): Promise<void> {
  verifyWebhook(deps.config, callback);
  const { token, params } = callback;
  const sealed = deps.tokens.open('receipt', token);
  const ref = sealed && unpackRef(sealed);
  const tenantId = ref && (await tenantOfMessage(deps, ref.messageId));
  if (!ref || tenantId === undefined) throw notFound('delivery');
  const status = parseTwilioStatus(params);
  if (!status)
    throw new Problem(422, 'not_a_status', 'MessageSid and MessageStatus are needed.', {
      errors: [{ field: 'MessageStatus', code: 'required', detail: 'is missing' }],
    });
  if (status.state === null) return;
  const effect = status.address === 'invalid' ? 'address_invalid' : (status.address ?? undefined);
  await receiptWriter(deps).write(tenantId, { ref, state: status.state, providerId: status.providerId, code: status.code, effect });
}
