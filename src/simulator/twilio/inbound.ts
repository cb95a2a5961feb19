import { unescapeMarkup } from '#platform/escape.ts';
import { smsOf } from '#simulator/control.ts';
import type { World } from '#simulator/world.ts';
import { countSegments } from './segments.ts';
import type { TwilioApi } from './twilio-api.ts';

// These are Twilio's default keywords for long codes (twilio.com/docs/messaging/tutorials/advanced-opt-out).
const STOP = /^(stop|stopall|unsubscribe|end|quit|cancel|optout|revoke)$/i;
const START = /^(start|yes|unstop)$/i;

export interface Text {
  /** Phone number of the person. */
  readonly from: string;
  /** The number that the person writes to. */
  readonly to: string;
  readonly body: string;
}

/**
 * A person writes a text message. Twilio's own opt-out comes first, then the webhook, and what the webhook answers in TwiML
 * goes to the person.
 * @returns the HTTP status that Muster's hook answered, 0 when nobody did
 */
export async function writeText(world: World, api: TwilioApi, text: Text): Promise<number> {
  const at = world.clock.now();
  world.outbox.add(text.from, { at, channel: 'sms', direction: 'out', other: text.to, text: () => text.body });
  if (smsOf(world.behaviour, api.accountOf(text.to)).optOut) {
    if (STOP.test(text.body.trim())) api.optedOut.add(`${text.to} ${text.from}`);
    else if (START.test(text.body.trim())) api.optedOut.delete(`${text.to} ${text.from}`);
  }
  const sid = api.newSid();
  const { publicUrl } = world.installation;
  const account = api.accountOf(text.to);
  const accountSid = api.sidOf(account);
  const units = countSegments(text.body);
  api.store.add({
    sid,
    accountSid,
    account,
    serviceSid: null,
    direction: 'inbound',
    from: text.from,
    to: text.to,
    body: text.body,
    segments: units,
    callbackUrl: undefined,
    createdAt: at,
    sentAt: at,
    updatedAt: at,
    status: 'received',
    errorCode: null,
  });
  const answer = await world.hooks.post(`${publicUrl}/hooks/twilio/inbound`, {
    AccountSid: accountSid,
    ApiVersion: '2010-04-01',
    Body: text.body,
    From: text.from,
    MessageSid: sid,
    NumMedia: '0',
    NumSegments: String(units),
    SmsMessageSid: sid,
    SmsSid: sid,
    SmsStatus: 'received',
    To: text.to,
  });
  for (const body of messagesIn(answer.body)) await deliverTwiml(world, api, { from: text.to, to: text.from, body });
  return answer.status;
}

/** Answers in TwiML are messages like any other: they are logged, and not delivered to a person who has opted out. */
async function deliverTwiml(world: World, api: TwilioApi, message: Text): Promise<void> {
  const at = world.clock.now();
  const stopped = api.optedOut.has(`${message.from} ${message.to}`);
  await world.calls.append({
    at: new Date(at).toISOString(),
    channel: 'sms',
    to: message.to,
    ref: 'twiml',
    from: message.from,
    sid: stopped ? '' : api.newSid(),
    outcome: stopped ? 'refused' : 'accepted',
    taken: !stopped,
    ...(stopped ? { code: 21610 } : {}),
    body: message.body,
    units: countSegments(message.body),
  });
  if (!stopped) world.outbox.add(message.to, { at, channel: 'sms', direction: 'in', other: message.from, text: () => message.body });
}

/** The texts of `<Message>` and `<Message><Body>` in a TwiML document. */
export function messagesIn(twiml: string): string[] {
  return [...twiml.matchAll(/<(?:Message|Sms)(?:\s[^>]*)?>([\s\S]*?)<\/(?:Message|Sms)>/g)].flatMap(([, inner = '']) => {
    const text = unescapeMarkup(/<Body>([\s\S]*?)<\/Body>/.exec(inner)?.[1] ?? inner).trim();
    return text === '' ? [] : [text];
  });
}
