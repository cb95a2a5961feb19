import type { CHANNEL_FACTS, Channel, ChannelRendering, Rendering } from '#schemas/channel-facts.ts';
import type { Outcome } from './outcome.ts';
import type { Recall } from './recall.ts';

/** Personal parts of a message. Everything else is rendered once per message and locale. */
export type SlotName = 'name' | 'firstName' | 'link' | 'shareLink' | 'unsubscribeLink' | 'ref';
export type SlotValues = Readonly<Partial<Record<SlotName, string>>>;

/** Literal text and slots in order: `['Hi ', { slot: 'firstName' }, '…']`. */
export type Template = readonly (string | { readonly slot: SlotName })[];

/** Some hundred characters without a title. */
export interface ShortTextContent {
  readonly channel: ChannelRendering<'short_text'>;
  readonly body: Template;
  /** Seconds after which the carrier must drop it, 1 to 36,000. */
  readonly validitySeconds: number;
}

export interface MailContent {
  readonly channel: ChannelRendering<'mail'>;
  readonly subject: Template;
  readonly text: Template;
  /** Slot values are HTML-escaped by whoever fills them into this part. */
  readonly html: Template;
  /** Adds List-Unsubscribe and List-Unsubscribe-Post (RFC 8058) from the `unsubscribeLink` slot. */
  readonly oneClickUnsubscribe: boolean;
}

export interface NotificationContent {
  readonly channel: ChannelRendering<'notification'>;
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

/** What each rendering makes; a forgotten one is a type error. */
export interface Contents extends Record<Rendering, Content> {
  readonly short_text: ShortTextContent;
  readonly mail: MailContent;
  readonly notification: NotificationContent;
}

export type Content = ShortTextContent | MailContent | NotificationContent;
export type ContentOf<C extends Channel> = Contents[(typeof CHANNEL_FACTS)[C]['renders']];

export interface PushSubscriptionKeys {
  readonly id: string;
  readonly endpoint: string;
  readonly p256dh: string;
  readonly auth: string;
}

/** One person on one channel. */
export interface Target {
  /** An address of the kind that the channel's facts name: E.164, a mail address, or '' where subscriptions take its place. */
  readonly address: string;
  /** Every live subscription of this person, for a channel that uses them. */
  readonly subscriptions?: readonly PushSubscriptionKeys[];
  /** Sealed delivery reference: callback URL, return path, Message-ID and notification tag are made from it. */
  readonly ref: string;
  readonly slots: SlotValues;
}

export interface SendResult {
  readonly outcome: Outcome;
  /** Ids of subscriptions that their service declared gone (404/410). */
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
  /** E.164, a short code, or the name of a provider's pool; mail From (`Name <a@b>`); '' where a channel has no such address. */
  readonly address: string;
  /** Which of the channel's provider accounts it uses: 1 unless told. */
  readonly account?: number;
}

export interface ChannelAdapter<C extends Content = Content> {
  readonly channel: C['channel'];
  /** How many calls one process should keep in flight. */
  readonly concurrency: number;
  prepare(content: C, sender: SenderIdentity): PreparedSend;
  close(): Promise<void>;
}
