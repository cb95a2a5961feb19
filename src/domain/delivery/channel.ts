import type { Channel } from '#schemas/delivery.ts';
import type { Outcome } from './outcome.ts';
import type { Recall } from './recall.ts';

/** Personal parts of a message. Everything else is rendered once per message and locale. */
export type SlotName = 'name' | 'firstName' | 'link' | 'shareLink' | 'unsubscribeLink' | 'ref';
export type SlotValues = Readonly<Partial<Record<SlotName, string>>>;

/** Literal text and slots in order: `['Hi ', { slot: 'firstName' }, '…']`. */
export type Template = readonly (string | { readonly slot: SlotName })[];

export interface ShortTextContent {
  readonly channel: 'sms';
  readonly body: Template;
  /** Seconds after which the carrier must drop it (Twilio ValidityPeriod, 1-36000). */
  readonly validitySeconds: number;
}

export interface MailContent {
  readonly channel: 'email';
  readonly subject: Template;
  readonly text: Template;
  /** Slot values are HTML-escaped by whoever fills them into this part. */
  readonly html: Template;
  /** Adds List-Unsubscribe and List-Unsubscribe-Post (RFC 8058) from the `unsubscribeLink` slot. */
  readonly oneClickUnsubscribe: boolean;
}

export interface NotificationContent {
  readonly channel: 'push';
  readonly title: Template;
  readonly body: Template;
  /** Buttons on the notification: at most two are shown by browsers. */
  readonly actions: readonly { readonly action: string; readonly title: string }[];
  /** RFC 8030 section 5.2, seconds. */
  readonly ttlSeconds: number;
  /** RFC 8030 section 5.3. */
  readonly pushUrgency: 'very-low' | 'low' | 'normal' | 'high';
  /** RFC 8030 section 5.4: at most 32 characters of the URL-safe base64 alphabet. */
  readonly topic: string;
  readonly lang: string;
}

export type Content = ShortTextContent | MailContent | NotificationContent;

export interface PushSubscriptionKeys {
  readonly id: string;
  readonly endpoint: string;
  readonly p256dh: string;
  readonly auth: string;
}

/** One person on one channel. */
export interface Target {
  /** E.164 for sms, an address for email, unused ('') for push. */
  readonly address: string;
  /** Push only: every live subscription of this person. */
  readonly subscriptions?: readonly PushSubscriptionKeys[];
  /** Sealed delivery reference: callback URL, return path, Message-ID and notification tag are made from it. */
  readonly ref: string;
  readonly slots: SlotValues;
}

export interface SendResult {
  readonly outcome: Outcome;
  /** Push: ids of subscriptions that the push service declared gone (404/410). */
  readonly goneSubscriptions?: readonly string[];
}

/**
 * A message's content made ready for one sender and one locale; `send` is called once per person.
 * It never throws for a provider's answer, and resolves within the adapter's own deadline (at most 20 s).
 * A call that is recalled before it began ends as `not_called`, at once where it only waits for its turn.
 */
export interface PreparedSend {
  send(target: Target, recall?: Recall): Promise<SendResult>;
}

/** From-address and credentials of a sender. */
export interface SenderIdentity {
  readonly id: number;
  /** E.164 or short code, or Messaging Service SID (MG…); mail From (`Name <a@b>`); '' for push. */
  readonly address: string;
  /** Which of the channel's provider accounts it uses: 1 unless told. */
  readonly account?: number;
}

export interface ChannelAdapter<C extends Content = Content> {
  readonly channel: C['channel'] & Channel;
  /** How many calls one process should keep in flight. */
  readonly concurrency: number;
  prepare(content: C, sender: SenderIdentity): PreparedSend;
  close(): Promise<void>;
}
