import { setTimeout as delay } from 'node:timers/promises';
import { type Bench, startMuster } from '#bench/bench.ts';
import { draft, fanOut, firstWitnessed } from '#bench/fan-out.ts';
import { seedPeople, SENDERS } from '#bench/people.ts';
import { percentile, round } from '#bench/statistics.ts';

export interface FirstCallResult {
  readonly audience: number;
  readonly tries: number;
  /** Milliseconds from the POST until the first request reached the provider, by the provider's own log (to 1 ms). */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  /** Milliseconds until the POST itself was answered. */
  readonly answeredP50: number | null;
  readonly queue: 'redis' | 'postgres';
}

/** After this pause the installation is idle: what the message before left to do (its close, its forecast, a vacuum) is over. */
const PAUSE_MS = 1_000;
/** Fewer tries say nothing. */
const FEWEST = 5;

/** An idle installation gets a life message: how long until somebody is called? */
export async function firstCall(bench: Bench): Promise<FirstCallResult> {
  const { audience, tries } = bench.sizes;
  const system = await startMuster(bench, { smsUrl: bench.http.witnessUrl });
  try {
    const tenant = await system.addTenant([SENDERS.sms]);
    await seedPeople(system, tenant, { count: audience, channel: 'sms' });
    const send = () => fanOut(system, tenant, draft({ class: 'life', channel: 'sms' }), audience);
    await send();
    await bench.http.witnessed();
    const firsts: number[] = [];
    const answered: number[] = [];
    for (let i = 0; i < tries; i++) {
      if (i >= FEWEST && bench.msLeft() <= 0) {
        bench.note(`first call: ${i} tries instead of ${tries}, the time allowed was over`);
        break;
      }
      await delay(PAUSE_MS);
      const { postedAt, answeredMs } = await send();
      firsts.push((await firstWitnessed(bench.http, audience)) - postedAt);
      answered.push(answeredMs);
    }
    bench.say(`first call: p50 ${percentile(firsts, 0.5).toFixed(0)} ms, p99 ${percentile(firsts, 0.99).toFixed(0)} ms`);
    return {
      audience,
      tries: firsts.length,
      p50: round(percentile(firsts, 0.5)),
      p99: round(percentile(firsts, 0.99)),
      max: round(Math.max(...firsts)),
      answeredP50: round(percentile(answered, 0.5)),
      queue: system.queue,
    };
  } finally {
    await system.close();
  }
}
