import { byChannel, type Channel, factsOf } from '#schemas/channel-facts.ts';
import type { DeliveryState, MessageClass, MessageState } from '#schemas/delivery.ts';

const whole = new Intl.NumberFormat('en');
export const number = (n: number | bigint): string => whole.format(n);

/** Says "1 person" or "8,412 people". */
export const people = (n: number): string => `${number(n)} ${n === 1 ? 'person' : 'people'}`;
export const plural = (n: number, one: string, many = `${one}s`): string => `${number(n)} ${n === 1 ? one : many}`;

export const CHANNEL_NAMES: Record<Channel, string> = byChannel((channel) => factsOf(channel).names.title);
export const CLASS_NAMES: Record<MessageClass, string> = { life: 'Life safety', ops: 'Operations', bulk: 'Campaign' };

/** The promise of a class, in words that a tired person understands. */
export const CLASS_PROMISES: Record<MessageClass, string> = {
  life: 'Never lost. Goes out on every channel at once; when a carrier does not answer, it is sent again, so a few people may get it twice. Must end within 24 hours.',
  ops: 'Sent at least once, with one repeat when a carrier does not answer. Each person gets it on the first channel that reaches them.',
  bulk: 'Never twice. When a carrier does not answer, it is not repeated but listed as in doubt. Only to people who agreed to campaigns.',
};

export const MESSAGE_STATE_NAMES: Record<MessageState, string> = {
  draft: 'Draft',
  scheduled: 'Scheduled',
  live: 'Live',
  completed: 'Sent',
  stopped: 'Stopped',
  expired: 'Expired',
};

export const DELIVERY_STATE_NAMES: Record<DeliveryState, string> = {
  pending: 'Waiting',
  attempting: 'Being sent',
  accepted: 'With the carrier',
  unknown: 'In doubt',
  delivered: 'Delivered',
  failed: 'Not reached',
  expired: 'Too late',
  cancelled: 'Cancelled',
  unresolved: 'Left in doubt',
};

/** What each state means, for those who ask. */
export const DELIVERY_STATE_MEANINGS: Record<DeliveryState, string> = {
  pending: 'Not sent yet, or waiting for another try.',
  attempting: 'A call to the carrier is under way.',
  accepted: 'The carrier took it; no proof of arrival yet.',
  unknown: 'The carrier did not say whether it took it. We are looking for proof.',
  delivered: 'The carrier reports arrival at the phone, browser or mailbox.',
  failed: 'It could not be delivered.',
  expired: 'The message expired before it was sent.',
  cancelled: 'The message was stopped before it was sent.',
  unresolved: 'No proof either way came; by its promise it is not repeated.',
};

/** Says after a stop what becomes of the calls that were marked: those that had begun cannot be undone, the others are taken back. */
export const onTheWay = (inFlight: number): string =>
  inFlight === 0
    ? 'No call was on the way.'
    : `At most ${plural(inFlight, 'call')} had already begun and cannot be called back; whoever waited for a connection is not called.`;

/** The reasons of our own that a delivery's `code` may hold. */
const OWN_CODES: Record<string, string> = {
  unreachable: 'No address on these channels',
  no_consent: 'Did not agree to this kind of message',
  never_had_it: 'Never had the message that this corrects',
  hourly_ceiling: 'Had as many messages within the hour as you allow',
  suppressed: 'Said stop, or the address is dead',
  no_address: 'The address was taken away or found dead before the call',
  no_subscription: 'No browser takes notifications any more',
  render_error: 'The text could not be filled in for this person',
  doubt_exhausted: 'No carrier gave a clear answer, after all tries',
  not_called: 'Taken back before the call',
  bounced: 'The mail came back, without a reason that could be read',
  lease_passed: 'Our sending process was cut off; looking for proof',
  silence: 'The carrier did not answer',
  UND_ERR_SOCKET: 'The connection broke during the call',
  ECONNECTION: 'The connection broke during the call',
  ESOCKET: 'The connection broke during the call',
  ECONNRESET: 'The connection broke during the call',
  EPIPE: 'The connection broke during the call',
  EPROTOCOL: 'The answer could not be read',
  UND_ERR_HEADERS_TIMEOUT: 'The carrier did not answer in time',
  UND_ERR_BODY_TIMEOUT: 'The carrier did not answer in time',
  ETIMEDOUT: 'The carrier did not answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'The carrier could not be reached',
  ECONNREFUSED: 'The carrier could not be reached',
};

/** What the commonest carrier codes mean to a coordinator: of SMS, then enhanced mail status (RFC 3463) and push statuses. */
const CARRIER_CODES: Record<string, string> = {
  '21211': 'not a valid number',
  '21214': 'the number cannot be reached',
  '21408': 'no permission to send to that country',
  '21610': 'said stop to this sender',
  '21612': 'no route to this number',
  '21614': 'not a mobile number',
  '30003': 'phone off or out of coverage',
  '30004': 'blocked by the carrier or the person',
  '30005': 'unknown number',
  '30006': 'landline, or a carrier that takes no SMS',
  '30007': 'filtered as spam by the carrier',
  '30008': 'failed at the carrier, no reason given',
  '4.4.1': 'no mail server answered until the relay gave up',
  '4.4.7': 'not taken until the relay gave up',
  '5.1.1': 'no such mailbox',
  '5.1.2': 'no such mail domain',
  '5.1.10': 'the domain takes no mail',
  '5.2.1': 'mailbox disabled',
  '5.2.2': 'mailbox full',
  '404': 'the browser has gone',
  '410': 'the browser has gone',
};

/** Whether a reason is about the recipient and not about the channel of the delivery. */
export const isAboutRecipient = (code: string | null): boolean =>
  code === 'unreachable' || code === 'no_consent' || code === 'suppressed' || code === 'hourly_ceiling';

/** Puts a reason into words. A carrier's own code stays visible, since the carrier's support asks for it. */
export function codeName(code: string | null): string {
  if (code === null) return '';
  const own = OWN_CODES[code];
  if (own !== undefined) return own;
  const words = CARRIER_CODES[code] ?? CARRIER_CODES[code.split(' ').at(-1) ?? ''];
  return words === undefined ? `code ${code}` : `${words} (${code})`;
}

/** Says "22 Nov 2026, 18:55 UTC", which the page's script then shows in the reader's own zone. */
export function timeText(iso: string): string {
  const date = new Date(iso);
  return `${date.getUTCDate()} ${date.toLocaleString('en', { month: 'short', timeZone: 'UTC' })} ${date.getUTCFullYear()}, ${date.toISOString().slice(11, 16)} UTC`;
}

export const percent = (part: number, of: number): string => (of === 0 ? '0 %' : part === of ? '100 %' : `${Math.min(99, Math.round((part / of) * 100))} %`);

/** The texts of a message by language. The one for everybody whose language is missing comes first. */
export const textsOf = (message: { readonly text: Readonly<Record<string, string>>; readonly fallbackLocale: string }): [locale: string, text: string][] =>
  Object.entries(message.text).sort(([a], [b]) => Number(b === message.fallbackLocale) - Number(a === message.fallbackLocale));

const languages = new Intl.DisplayNames(['en'], { type: 'language' });
export function languageName(tag: string): string {
  try {
    return languages.of(tag) ?? tag;
  } catch {
    return tag;
  }
}
