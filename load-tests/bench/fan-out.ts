import type { Channel, MessageClass } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import type { HttpCarrier, WitnessedCall } from './carriers/http-carrier.ts';
import { cpuMs, watchRss } from './processes.ts';
import type { System, Tenant } from './system.ts';

export interface Draft {
  readonly class?: MessageClass;
  readonly channel: Channel;
  readonly audience?: unknown;
  /** Adds text, so that the carrier's log tells this message from others by its length. */
  readonly longer?: boolean;
  readonly launch?: boolean;
}

let composed = 0;

/** A call for help as people send it, with a personal link and two answers. No two texts are equal, and all have one length. */
export function draft({ class: messageClass = 'bulk', channel, audience = { all: true }, longer = false, launch = true }: Draft): Record<string, unknown> {
  const number = String(++composed).padStart(6, '0');
  const more = longer ? ` ${'Bring boots, a torch and something warm. '.repeat(8)}` : '';
  return {
    class: messageClass,
    title: 'Volunteers needed',
    text: { en: `No ${number}: sandbags at the north gate, 18:00.${more} {{link}}` },
    ...(messageClass === 'life' ? { says: { who: `No ${number}`, where: 'the north gate', instruction: 'sandbags' } } : {}),
    audience,
    channels: [channel],
    answers: [
      { key: 'yes', label: 'Yes', counts: true },
      { key: 'no', label: 'No' },
    ],
    expiresAt: new Date(Date.now() + 3 * 3_600_000).toISOString(),
    launch,
  };
}

/** Requests with more bytes than this carry the longer text: an SMS without it has about 350, with it about 850. */
export const LONGER_BYTES = 600;

export interface FanOut {
  readonly id: string;
  /** When the POST was sent, in milliseconds since the epoch. */
  readonly postedAt: number;
  /** Milliseconds until the POST was answered. */
  readonly answeredMs: number;
  /** Milliseconds from the POST until the last row was settled and the message complete. */
  readonly ms: number;
  readonly perSecond: number;
  /** CPU time of all workers. */
  readonly workerCpuMs: number;
  readonly rssMb: number;
  readonly rssSamples: readonly number[];
}

export const settled = (view: MessageView, count: number): boolean => {
  const { pending, attempting, ...rest } = view.deliveries;
  return pending === 0 && attempting === 0 && Object.values(rest).reduce((sum, n) => sum + n, 0) === count;
};

/** Milliseconds that a fan-out may take, which is enough at 300 deliveries a second; a slower run has failed. */
export const patience = (count: number): number => 30_000 + count * 3.3;

/**
 * Sends one message and waits for its last row. The end is the message's own `completedAt`, which the worker writes
 * after the last settle has committed.
 * @throws when a delivery ended other than accepted, or none of them did in time
 */
export async function fanOut(system: System, tenant: Tenant, message: Record<string, unknown>, count: number): Promise<FanOut> {
  const pids = system.workerPids();
  const before = pids.map(cpuMs);
  const rss = watchRss(pids[0]);
  try {
    const postedAt = performance.timeOrigin + performance.now();
    const { id } = await system.call<{ id: string }>(tenant, 'POST', '/v1/messages', message);
    const answeredMs = performance.timeOrigin + performance.now() - postedAt;
    const view = await system.message(tenant, id, (now) => now.state === 'completed' && settled(now, count), patience(count));
    const ms = Date.parse(view.times.completedAt ?? '') - postedAt;
    const { accepted } = view.deliveries;
    if (accepted !== count) throw new Error(`${count} messages, but only ${accepted} accepted: ${JSON.stringify(view.deliveries)}`);
    const workerCpuMs = pids.reduce<number>((sum, pid, i) => sum + cpuMs(pid) - (before[i] ?? Number.NaN), 0);
    const { peakMb, samples } = rss.stop();
    return { id, postedAt, answeredMs, ms, perSecond: (count / ms) * 1000, workerCpuMs, rssMb: peakMb, rssSamples: samples };
  } finally {
    rss.stop();
  }
}

/**
 * When the carrier was first called since it was asked last, in milliseconds since the epoch.
 * @throws unless exactly `count` of the calls fit
 */
export async function firstWitnessed(carrier: HttpCarrier, count: number, fits: (call: WitnessedCall) => boolean = () => true): Promise<number> {
  const calls = (await carrier.witnessed()).filter(fits);
  if (calls.length !== count) throw new Error(`${count} people, but the carrier wrote down ${calls.length} calls of them`);
  return calls.reduce((first, call) => Math.min(first, call.at), Number.POSITIVE_INFINITY);
}

/** Ends a message whose rest is of no interest, and waits until nothing of it is in flight. */
export async function stopMessage(system: System, tenant: Tenant, id: string): Promise<void> {
  const view = await system.call<MessageView>(tenant, 'GET', `/v1/messages/${id}`);
  if (view.state === 'completed') return;
  await system.call(tenant, 'POST', `/v1/messages/${id}/stop`, {});
  await system.message(tenant, id, (now) => now.deliveries.attempting === 0 && now.deliveries.pending === 0, 120_000);
}
