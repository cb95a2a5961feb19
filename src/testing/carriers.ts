import type { ChannelAdapter, SenderIdentity, SendResult, Target } from '#domain/delivery/channel.ts';
import type { Outcome } from '#domain/delivery/outcome.ts';
import type { Recall } from '#domain/delivery/recall.ts';
import { byChannel, type Channel } from '#schemas/channel-facts.ts';

export interface CarrierCall {
  channel: Channel;
  address: string;
  ref: string;
  /** Provider account of the sender. */
  account: number;
}

export interface Carriers {
  readonly calls: CarrierCall[];
  readonly channels: Record<Channel, ChannelAdapter>;
}

/** Carriers in this process, which write down every call before they answer it. */
export function carriers(
  answer: (call: CarrierCall, n: number) => Outcome | Promise<Outcome> = () => ({ kind: 'accepted', providerId: 'p', units: 1 }),
): Carriers {
  const calls: CarrierCall[] = [];
  const adapter = (channel: Channel): ChannelAdapter => ({
    channel,
    concurrency: 100,
    prepare: (_content, sender: SenderIdentity) => ({
      send: async (target: Target, recall?: Recall): Promise<SendResult> => {
        if (recall?.recalled) return { outcome: { kind: 'not_called', code: 'not_called' } };
        const call = { channel, address: target.address, ref: target.ref, account: sender.account ?? 1 };
        calls.push(call);
        return { outcome: await answer(call, calls.length) };
      },
    }),
    close: () => Promise.resolve(),
  });
  return { calls, channels: byChannel(adapter) };
}
