import { addressVerdict } from './codes.ts';

/** What one status callback says. `state` is null where it says nothing about the fate of an outgoing message. */
export interface StatusReceipt {
  readonly providerId: string;
  readonly state: 'accepted' | 'delivered' | 'failed' | null;
  /** A receipt counts only over one of lower rank, and delivered outranks undelivered. 0 when `state` is null. */
  readonly rank: number;
  /** Twilio's ErrorCode as it came. */
  readonly code: string | null;
  /** What the code says about the address itself. */
  readonly address: 'invalid' | 'opted_out' | null;
}

type Meaning = Pick<StatusReceipt, 'state' | 'rank'>;

/** Values of MessageStatus, which arrive in any order and repeatedly. */
const STATUSES: Readonly<Record<string, Meaning>> = {
  scheduled: { state: 'accepted', rank: 1 }, // held by Twilio until its SendAt
  accepted: { state: 'accepted', rank: 1 }, // by a Messaging Service, sender not chosen yet
  queued: { state: 'accepted', rank: 1 }, // waits for the sender's rate
  sending: { state: 'accepted', rank: 2 }, // being handed to the carrier
  sent: { state: 'accepted', rank: 3 }, // carrier took it; final where carriers send no receipts
  partially_delivered: { state: 'accepted', rank: 4 }, // some segments or devices
  canceled: { state: 'failed', rank: 5 }, // taken back before sending
  failed: { state: 'failed', rank: 5 }, // never left Twilio (ValidityPeriod over, queue full, refused)
  undelivered: { state: 'failed', rank: 5 }, // carrier gave up
  delivered: { state: 'delivered', rank: 6 }, // carrier or handset confirmed; not a human
  read: { state: 'delivered', rank: 7 }, // RCS and WhatsApp only
};
const NOTHING: Meaning = { state: null, rank: 0 };

/** Reads a status callback. @returns undefined when the form is none (no MessageSid or MessageStatus) */
export function parseTwilioStatus(params: Readonly<Record<string, string | undefined>>): StatusReceipt | undefined {
  const providerId = params.MessageSid ?? params.SmsSid;
  const status = params.MessageStatus ?? params.SmsStatus;
  if (!providerId || !status) return undefined;
  const meaning = Object.hasOwn(STATUSES, status) ? (STATUSES[status] ?? NOTHING) : NOTHING;
  const code = params.ErrorCode || null;
  return { providerId, ...meaning, code, address: meaning.state === 'failed' && code ? addressVerdict(code) : null };
}
