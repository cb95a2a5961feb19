import type { Audience } from './audience.ts';
import type { Channel, DeliveryState, MessageClass, MessageState, ReturnReason } from './delivery.ts';
import type { AnswerOption, PlanStep } from './message.ts';
import type { Wording } from './wording.ts';

export type StateCounts = Record<DeliveryState, number>;

/** One message as the API, the console and the event stream show it. Times are RFC 3339; ids are opaque. */
export interface MessageView {
  id: string;
  state: MessageState;
  class: MessageClass;
  drill: boolean;
  kind: 'original' | 'correction' | 'all_clear' | 'join';
  followsId: string | null;
  title: string | null;
  text: Record<string, string>;
  /** The wording per locale: whom it means, where, what to do, who issues it, as frozen with the message. */
  says: Wording | null;
  fallbackLocale: string;
  answerOptions: AnswerOption[];
  share: boolean;
  /** Waves as planned. */
  plan: PlanStep[];
  audience: { expression: Audience; count: number | null; hash: string | null };
  /** Over all waves and channels; the sum is the number of planned deliveries. */
  deliveries: StateCounts;
  /** Per wave and channel, each summing to what was planned for it. */
  waves: ({ wave: number; channel: Channel; planned: number; units: number } & StateCounts)[];
  /** Number of people per answer key in force now; `none`: asked and silent. */
  answers: Record<string, number>;
  spread: { shares: number; visits: number; joins: number; generations: number };
  /** Mails of other mail servers about mails of this message that could not be read; nothing of them is kept. */
  unreadBounces: number;
  times: {
    createdAt: string;
    startAt: string | null;
    expiresAt: string | null;
    launchedAt: string | null;
    firstCallAt: string | null;
    lastCallAt: string | null;
    completedAt: string | null;
    stoppedAt: string | null;
  };
  createdBy: string;
  /**
   * For a message that was corrected, this is the minutes from its launch to its first correction. Of a correction or all clear: minutes
   * from the launch of the message that it follows. Null otherwise.
   */
  minutesToCorrection: number | null;
  /** Who stopped it, or `guard:` and the send guard that it broke; null where nobody did. */
  stoppedBy: string | null;
  /** Why its scheduled start was not made; null where none was missed. */
  returned: ReturnReason | null;
  /** As it stood at launch, with the people of that moment and the rates and queues of the senders then. */
  forecast: Forecast | null;
  /** Null before launch. */
  fact: Fact | null;
}

/** When the last person will be reached with the senders at hand. */
export interface Forecast {
  /** Seconds from launch to the last hand-over, over all channels; null where no sender has a rate and nobody has to wait. */
  seconds: number | null;
  perChannel: ChannelForecast[];
}

export interface ChannelForecast {
  channel: Channel;
  /** Whom any wave may call by it. */
  people: number;
  /** Billing units over all calls: SMS parts, else messages. */
  units: number;
  /** Rate of the sender as it is now: slowed where its provider throttles; null: as fast as the provider takes it. */
  unitsPerSecond: number | null;
  /** What one call takes of that rate: SMS parts of the longest rendering. */
  unitsPerCall: number;
  /** Units of other messages that wait at this sender and go before these or in turns with them. */
  unitsAhead: number;
  /** Calls that wait for the end of quiet hours. */
  held: number;
  /** Calls whose turn comes only after the message has expired, so that they are never made. */
  late: number;
  /** The time from the launch to the last call; null where nothing holds it back but the provider. */
  seconds: number | null;
}

/** What really happened, beside the forecast. Seconds count from launch. */
export interface Fact {
  /** Null until the first call has left. */
  firstCallSeconds: number | null;
  /** Last hand-over so far; final once the message is no longer live. */
  seconds: number | null;
  perChannel: { channel: Channel; people: number; units: number; seconds: number | null }[];
}

export interface PreviewView {
  count: number;
  hash: string;
  /** People per channel that the message would use, after suppression and consent. */
  channels: Record<Channel, number>;
  /** People with no address on any of the channels. */
  unreachable: number;
  /** People who said stop to every sender that could reach them, or did not agree to this purpose. */
  suppressed: number;
  /** People who have had as many messages within the hour as one person may be sent: they are left out. Null: too many to count. */
  atCeiling: number | null;
  /** SMS segments of the longest rendering, and billing units over all SMS people. Zero without a text. */
  segments: number;
  units: number;
  encoding: 'GSM-7' | 'UCS-2' | null;
  /** Characters outside GSM-7 that made the text cost more, with position. */
  culprits: { character: string; position: number; locale: string }[];
  forecast: Forecast;
  warnings: { code: string; detail: string }[];
}

export interface DeliveryView {
  recipientId: string;
  name: string | null;
  channel: Channel;
  wave: number;
  state: DeliveryState;
  attempts: number;
  code: string | null;
  markedAt: string | null;
  settledAt: string | null;
  providerId: string | null;
  /** What is said of a delivery in doubt: what is known and what is not, in plain words. */
  doubt: string | null;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}
