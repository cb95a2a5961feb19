import { FORM, formFields } from '#channels/form-fields.ts';
import type { Evidence } from '#domain/delivery/evidence.ts';
import type { Hook, HookCall, HookFields, InboundHook, InboundText, ReceiptHook } from '#domain/delivery/hook.ts';
import { Problem } from '#platform/errors.ts';
import type { TwilioSettings } from './settings.ts';
import { parseTwilioStatus } from './status.ts';
import { verifyWebhook } from './webhook.ts';

/** What Twilio calls: status callbacks of each message, and texts that people send to our numbers. */
export function twilioHooks(accounts: readonly TwilioSettings[]): readonly Hook[] {
  const verify = ({ url, header, body }: HookCall): HookFields => {
    const params = formFields(body);
    verifyWebhook(accounts, { url, signature: header('x-twilio-signature'), params });
    return params;
  };
  const base = { channel: 'sms', caller: 'Twilio', method: 'post', contentType: FORM, verify } as const;
  return [
    {
      ...base,
      kind: 'receipt',
      path: '/hooks/twilio/status/{ref}',
      summary: 'Status callback of Twilio',
      description:
        'Signed by Twilio over the public URL and the form. 204 only after the receipt is committed; 403 for a forged one, 404 for a reference that names no delivery.',
      toReceipt,
    } satisfies ReceiptHook,
    {
      ...base,
      kind: 'inbound',
      path: '/hooks/twilio/inbound',
      summary: 'Inbound text from Twilio',
      description:
        'Signed by Twilio over the public URL and the form. Answers TwiML: empty, or one message back. The same MessageSid gets the same answer again and changes nothing.',
      toInbound,
      answer: { contentType: 'text/xml', description: 'TwiML.', of: twiml },
    } satisfies InboundHook,
  ];
}

function toReceipt(fields: HookFields): Evidence | null {
  const status = parseTwilioStatus(fields);
  if (!status)
    throw new Problem(422, 'not_a_status', 'MessageSid and MessageStatus are needed.', {
      errors: [{ field: 'MessageStatus', code: 'required', detail: 'is missing' }],
    });
  if (status.state === null) return null;
  const effect = status.address === 'invalid' ? 'address_invalid' : (status.address ?? undefined);
  return { state: status.state, providerId: status.providerId, code: status.code, effect };
}

/** Twilio's Advanced Opt-Out has understood and answered these itself. */
const OPT_OUT_TYPES: Readonly<Record<string, InboundText['byCarrier']>> = { STOP: 'stop', START: 'start', HELP: 'help' };

function toInbound(fields: HookFields): InboundText {
  const id = fields['MessageSid'] ?? fields['SmsSid'] ?? '';
  const from = fields['From'] ?? '';
  if (id === '' || from === '')
    throw new Problem(422, 'not_a_text', 'MessageSid and From are needed.', {
      errors: [{ field: id === '' ? 'MessageSid' : 'From', code: 'required', detail: 'is missing' }],
    });
  const optOut = fields['OptOutType'] ?? '';
  return {
    id,
    from,
    to: [fields['To'] ?? '', fields['MessagingServiceSid'] ?? ''],
    // A picture without words is still somebody saying something.
    body: fields['Body'] || (Number(fields['NumMedia'] ?? 0) > 0 ? '[picture]' : ''),
    byCarrier: Object.hasOwn(OPT_OUT_TYPES, optOut) ? OPT_OUT_TYPES[optOut] : undefined,
  };
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** TwiML with one message, or none: Twilio sends nothing back for an empty response. */
export function twiml(text: string): string {
  const escaped = text.replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c);
  return `<?xml version="1.0" encoding="UTF-8"?>${text === '' ? '<Response/>' : `<Response><Message>${escaped}</Message></Response>`}`;
}
