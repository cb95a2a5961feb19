import { CHANNEL_FACTS, type Channel, channelOfNumber } from '#schemas/channel-facts.ts';

/** The identity of one delivery, as it travels through carriers inside a sealed token. */
export interface DeliveryRef {
  readonly messageId: string;
  readonly recipientId: string;
  readonly channel: Channel;
  readonly wave: number;
}

/** The three numbers of a sealed block. */
interface PackedRef {
  /** Message. */
  readonly a: number;
  /** Recipient. */
  readonly b: number;
  /** Channel and wave: 2 and 14 bits in the first layout, 4 and 12 in the second. */
  readonly extra: number;
  readonly layout?: 2;
}

/** What 12 bits hold. Plans have 6 waves at most, and joins the numbers from 1,000 on, one a channel. */
const LAST_WAVE = 4_095;
/** Channels that the first layout can tell. Its fourth number says nothing to the versions that knew no other layout. */
const FIRST_LAYOUT = 3;

/**
 * The first layout wherever it can say it, so that versions from before the second one open all that they need to: an API of
 * theirs beside a worker of ours, or after a step back (docs/decisions/2026-12-01-one-entry-a-channel.md).
 * @throws RangeError for a wave that no token can name
 */
export function packRef({ messageId, recipientId, channel, wave }: DeliveryRef): PackedRef {
  if (!(wave >= 0 && wave <= LAST_WAVE)) throw new RangeError(`wave ${wave}: a token names the waves 0 to ${LAST_WAVE}`);
  const { number } = CHANNEL_FACTS[channel];
  return number < FIRST_LAYOUT
    ? { a: Number(messageId), b: Number(recipientId), extra: number * 2 ** 14 + wave }
    : { a: Number(messageId), b: Number(recipientId), extra: number * 2 ** 12 + wave, layout: 2 };
}

/** Undefined for a channel that this version does not know. */
export function unpackRef({ a, b, extra, layout }: PackedRef): DeliveryRef | undefined {
  const waveBits = layout === 2 ? 12 : 14;
  const channel = channelOfNumber(extra >> waveBits);
  return channel && { messageId: String(a), recipientId: String(b), channel, wave: extra % 2 ** waveBits };
}
