import type { Account } from '#simulator/control.ts';

/** The states that Twilio reports; `accepted`, `scheduled` and `read` do not occur here. */
export type TwilioStatus = 'queued' | 'sent' | 'delivered' | 'undelivered' | 'failed' | 'received';

export interface TwilioMessage {
  readonly sid: string;
  readonly accountSid: string;
  readonly account: Account;
  readonly serviceSid: string | null;
  readonly direction: 'outbound-api' | 'inbound';
  readonly from: string;
  readonly to: string;
  readonly body: string;
  readonly segments: number;
  readonly callbackUrl: string | undefined;
  readonly createdAt: number;
  sentAt: number | null;
  updatedAt: number;
  status: TwilioStatus;
  errorCode: number | null;
}

/** A time as Twilio writes it, by RFC 2822 in GMT: `Thu, 24 Aug 2023 05:01:45 +0000`. */
const rfc2822 = (at: number): string => new Date(at).toUTCString().replace('GMT', '+0000');

/** The 20 properties of Twilio's Message resource (api.v2010.account.message in its OpenAPI). */
export function messageJson(message: TwilioMessage): Record<string, unknown> {
  const uri = `/2010-04-01/Accounts/${message.accountSid}/Messages/${message.sid}`;
  // With a Messaging Service no sender is chosen yet while the message is queued.
  const unassigned = message.serviceSid !== null && message.status === 'queued';
  return {
    account_sid: message.accountSid,
    api_version: '2010-04-01',
    body: message.body,
    date_created: rfc2822(message.createdAt),
    date_sent: message.sentAt === null ? null : rfc2822(message.sentAt),
    date_updated: rfc2822(message.updatedAt),
    direction: message.direction,
    error_code: message.errorCode,
    error_message: null,
    from: unassigned ? null : message.from,
    messaging_service_sid: message.serviceSid,
    num_media: '0',
    num_segments: unassigned ? '0' : String(message.segments),
    price: null,
    price_unit: null,
    sid: message.sid,
    status: message.status,
    subresource_uris: { media: `${uri}/Media.json` },
    to: message.to,
    uri: `${uri}.json`,
  };
}

/** Twilio keeps messages for ever; here the latest are enough to find out what became of a doubtful send. */
const MAX_KEPT = 300_000;

export class MessageStore {
  readonly #bySid = new Map<string, TwilioMessage>();
  readonly #byTo = new Map<string, TwilioMessage[]>();

  add(message: TwilioMessage): void {
    this.#bySid.set(message.sid, message);
    const same = this.#byTo.get(message.to);
    if (same) same.push(message);
    else this.#byTo.set(message.to, [message]);
    if (this.#bySid.size > MAX_KEPT) this.#dropOldest();
  }

  get(sid: string): TwilioMessage | undefined {
    return this.#bySid.get(sid);
  }

  /** Newest first. */
  list(to: string | null): TwilioMessage[] {
    return [...(to === null ? this.#bySid.values() : (this.#byTo.get(to) ?? []))].reverse();
  }

  clear(): void {
    this.#bySid.clear();
    this.#byTo.clear();
  }

  #dropOldest(): void {
    for (const oldest of this.#bySid.values()) {
      this.#bySid.delete(oldest.sid);
      const rest = (this.#byTo.get(oldest.to) ?? []).filter((message) => message !== oldest);
      if (rest.length === 0) this.#byTo.delete(oldest.to);
      else this.#byTo.set(oldest.to, rest);
      return;
    }
  }
}
