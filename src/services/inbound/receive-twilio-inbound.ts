import { Problem } from '#platform/errors.ts';
import type { Deps } from '#services/context.ts';
import { receiveInboundText } from './inbound-text.ts';
import { type TwilioWebhook, verifyWebhook } from '#channels/sms/twilio/webhook.ts';

const OPT_OUT = ['STOP', 'START', 'HELP'] as const;

/**
 * Takes one signed webhook about an inbound message.
 * @returns what to text back; '' for nothing
 * @throws Problem 403 forged or of another account; 422 without the fields that Twilio always sends
 */
export async function receiveTwilioInbound(deps: Deps, webhook: TwilioWebhook): Promise<string> {
  verifyWebhook(deps.config, webhook);
  const { params } = webhook;
  const sid = params['MessageSid'] ?? params['SmsSid'] ?? '';
  const from = params['From'] ?? '';
  if (sid === '' || from === '')
    throw new Problem(422, 'not_a_text', 'MessageSid and From are needed.', {
      errors: [{ field: sid === '' ? 'MessageSid' : 'From', code: 'required', detail: 'is missing' }],
    });
  return receiveInboundText(deps, {
    sid,
    from,
    to: [params['To'] ?? '', params['MessagingServiceSid'] ?? ''],
    // A picture without words is still somebody saying something.
    body: params['Body'] || (Number(params['NumMedia'] ?? 0) > 0 ? '[picture]' : ''),
    optOutType: OPT_OUT.find((word) => word === params['OptOutType']),
  });
}
