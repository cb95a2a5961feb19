import { join } from 'node:path';
import { type Bench, startMuster } from '#bench/bench.ts';
import { startThrottlingCarrier, type ThrottledCall } from '#bench/carriers/throttling-carrier.ts';
import { draft, stopMessage } from '#bench/fan-out.ts';
import { seedPeople, SENDERS } from '#bench/people.ts';
import { round } from '#bench/statistics.ts';
import type { MessageView } from '#schemas/views.ts';

export interface ThrottledResult {
  readonly configuredPerSecond: number;
  readonly takenPerSecond: number;
  readonly people: number;
  /** Share of requests refused after the first ten seconds. */
  readonly refusedShareAfter: number | null;
  /** The second after which fewer than 2 % of all further calls were refused; null when there was none. */
  readonly convergedAfterSeconds: number | null;
  /** People whom the provider never took a message for. */
  readonly lost: number;
  /** Messages that the provider took for people who had one already. */
  readonly twice: number;
  readonly seconds: number | null;
}

const CONFIGURED = 100;
const TAKEN = 50;
const CONVERGE_MS = 10_000;

/** The provider takes half of the configured rate and answers the rest 429 with Retry-After. */
export async function throttled(bench: Bench): Promise<ThrottledResult> {
  const people = TAKEN * bench.sizes.throttledSeconds;
  const carrier = await startThrottlingCarrier(TAKEN, join(bench.folder, 'throttling.log'));
  const system = await startMuster(bench, { smsUrl: carrier.url });
  try {
    const tenant = await system.addTenant([{ ...SENDERS.sms, unitsPerSecond: CONFIGURED }]);
    await seedPeople(system, tenant, { count: people, channel: 'sms' });
    const { id } = await system.call<{ id: string }>(tenant, 'POST', '/v1/messages', draft({ class: 'ops', channel: 'sms' }));
    const done = (view: MessageView): boolean => view.state === 'completed';
    await system
      .message(tenant, id, done, bench.sizes.throttledSeconds * 3_000 + 30_000)
      .catch((error: unknown) => bench.note(`throttled provider: ${(error as Error).message}`));
    await stopMessage(system, tenant, id);
    const calls = await carrier.calls();
    const taken = calls.filter((call) => call.status === 201).length;
    const first = calls[0]?.at ?? 0;
    const result = {
      configuredPerSecond: CONFIGURED,
      takenPerSecond: TAKEN,
      people,
      refusedShareAfter: round(refusedShare(calls, first + CONVERGE_MS)),
      convergedAfterSeconds: converged(calls, first),
      lost: Math.max(0, people - taken),
      twice: Math.max(0, taken - people),
      seconds: round(((calls.at(-1)?.at ?? first) - first) / 1000),
    };
    bench.say(`throttled: ${result.refusedShareAfter} refused after 10 s, converged after ${result.convergedAfterSeconds} s`);
    return result;
  } finally {
    await system.close();
  }
}

function refusedShare(calls: readonly ThrottledCall[], from: number): number {
  const after = calls.filter((call) => call.at >= from);
  return after.filter((call) => call.status !== 201).length / after.length;
}

function converged(calls: readonly ThrottledCall[], first: number): number | null {
  const last = calls.at(-1)?.at ?? first;
  for (let second = 0; first + second * 1000 < last; second++) if (refusedShare(calls, first + second * 1000) < 0.02) return second;
  return null;
}
