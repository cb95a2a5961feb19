import type { Audience } from './audience.ts';
import type { Channel, DeliveryState, MessageClass, MessageState } from './delivery.ts';
import type { AnswerOption, PlanStep } from './message.ts';

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
  forecast: Forecast | null;
}

/** When the last person will be reached with the senders at hand. */
export interface Forecast {
  /** Seconds from launch to the last hand-over, over all channels; null where a sender has no rate limit. */
  seconds: number | null;
  perChannel: { channel: Channel; people: number; units: number; unitsPerSecond: number | null; seconds: number | null }[];
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
}

export interface Page<T> {
  items: T[];
  next: string | null;
}
