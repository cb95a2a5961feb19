import { CHANNELS, type Channel } from '#schemas/delivery.ts';

/** The identity of one delivery, as it travels through carriers inside a sealed token. */
export interface DeliveryRef {
  readonly messageId: string;
  readonly recipientId: string;
  readonly channel: Channel;
  readonly wave: number;
}

/** Fits the three numbers of a sealed block: a message, b recipient, extra channel (2 bits) and wave (14 bits: joins may add many waves). */
export const packRef = (ref: DeliveryRef): { a: number; b: number; extra: number } => ({
  a: Number(ref.messageId),
  b: Number(ref.recipientId),
  extra: CHANNELS.indexOf(ref.channel) * 16_384 + ref.wave,
});

export function unpackRef(sealed: { a: number; b: number; extra: number }): DeliveryRef | undefined {
  const channel = CHANNELS[sealed.extra >> 14];
  return channel && { messageId: String(sealed.a), recipientId: String(sealed.b), channel, wave: sealed.extra & 0x3fff };
}
