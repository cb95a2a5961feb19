import type { Channel, MessageClass } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { cpuMs, watchRss } from './processes.ts';
import type { System, Tenant } from './system.ts';

export interface Draft {
  readonly class?: MessageClass;
  readonly channel: Channel;
  readonly audience?: unknown;
  /** More text, by which the carrier's log tells this message from others. */
  readonly longer?: boolean;
  readonly launch?: boolean;
}

let composed = 0;

/** A call to help as people send it: a personal link, two answers. Each text differs, and all have one length. */
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
  /** Milliseconds since the epoch, at the POST. */
  readonly postedAt: number;
  /** Until the POST was answered. */
  readonly answeredMs: number;
  /** From the POST until the last row was settled and the message complete. */
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

/** Time enough for 300 deliveries a second; a run that is slower than that has failed. */
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

/** Ends a message whose rest is of no interest, and waits until nothing of it is in flight. */
export async function stopMessage(system: System, tenant: Tenant, id: string): Promise<void> {
  const view = await system.call<MessageView>(tenant, 'GET', `/v1/messages/${id}`);
  if (view.state === 'completed') return;
  await system.call(tenant, 'POST', `/v1/messages/${id}/stop`, {});
  await system.message(tenant, id, (now) => now.deliveries.attempting === 0 && now.deliveries.pending === 0, 120_000);
}
