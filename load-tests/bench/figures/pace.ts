import { setTimeout as delay } from 'node:timers/promises';
import { SegmentedMessage } from 'sms-segments-calculator';
import { type Bench, startMuster } from '#bench/bench.ts';
import { draft, stopMessage } from '#bench/fan-out.ts';
import { seedPeople, SENDERS } from '#bench/people.ts';
import { busiestSecond, round } from '#bench/statistics.ts';
import type { System, Tenant } from '#bench/system.ts';
import { until } from '#testing/until.ts';

export interface PaceRun {
  readonly unitsPerSecond: number;
  readonly workers: number;
  /** Segments of the text. */
  readonly unitsPerMessage: number;
  /** Units that arrived in the watched time, as a share of what the rate allows. */
  readonly share: number | null;
  /** The most units in any window of one second. */
  readonly busiestSecond: number;
}

export interface PaceResult {
  readonly seconds: number;
  readonly runs: readonly PaceRun[];
}

/** This time is not watched, since the first second holds the start, and a full budget may be spent at once. */
const SETTLING_MS = 2_000;
/** Rate and workers of the run whose text has two segments. */
const TWO_SEGMENTS = { rate: 100, workers: 1 };

/** Several workers share the pace of one sender; the carrier's own log of times decides. */
export async function pace(bench: Bench): Promise<PaceResult> {
  const { paceRates, paceWorkers, paceSeconds } = bench.sizes;
  const runs: PaceRun[] = [];
  const system = await startMuster(bench, { smsUrl: bench.http.witnessUrl });
  try {
    const tenants = new Map<number, Tenant>();
    for (const rate of paceRates) tenants.set(rate, await pacedTenant(system, rate, paceSeconds));
    for (const workers of paceWorkers) {
      await system.setWorkers(workers);
      for (const [rate, tenant] of tenants) runs.push(await watch(bench, system, tenant, { rate, workers, units: 1 }));
    }
  } finally {
    await system.close();
  }
  const long = await startMuster(bench, { smsUrl: `${bench.http.witnessUrl}/two`, workers: TWO_SEGMENTS.workers });
  try {
    const tenant = await pacedTenant(long, TWO_SEGMENTS.rate, paceSeconds);
    runs.push(await watch(bench, long, tenant, { ...TWO_SEGMENTS, units: 2 }));
  } finally {
    await long.close();
  }
  return { seconds: paceSeconds, runs };
}

async function pacedTenant(system: System, rate: number, seconds: number): Promise<Tenant> {
  const tenant = await system.addTenant([{ ...SENDERS.sms, unitsPerSecond: rate }]);
  await seedPeople(system, tenant, { count: Math.ceil(rate * (seconds + SETTLING_MS / 1000 + 8)), channel: 'sms' });
  return tenant;
}

/** The text as it arrives, with another token; a library that is not ours counts its segments. */
function textOf(units: number): string {
  const text = `Pace: sandbags at the north gate at 18:00${units > 1 ? `, ${'bring boots and a torch, '.repeat(4)}` : ''}. {{link}}`;
  // The token has 23 characters, and a repeat code with its line break at most 8.
  const arrives = text.replace('{{link}}', `http://127.0.0.1:10000/r/${'x'.repeat(23)}`) + 'x'.repeat(8);
  const counted = new SegmentedMessage(arrives).segmentsCount;
  if (counted !== units) throw new Error(`the text of ${units} segments has ${counted}`);
  return text;
}

async function watch(bench: Bench, system: System, tenant: Tenant, run: { rate: number; workers: number; units: number }): Promise<PaceRun> {
  bench.checkTime();
  const { rate, workers, units } = run;
  const seconds = bench.sizes.paceSeconds;
  await bench.http.witnessed();
  const { answers: _answers, title: _title, ...message } = draft({ class: 'ops', channel: 'sms' });
  const { id } = await system.call<{ id: string }>(tenant, 'POST', '/v1/messages', { ...message, text: { en: textOf(units) } });
  const events: { at: number; units: number }[] = [];
  try {
    await until(
      async () => {
        for (const call of await bench.http.witnessed()) events.push({ at: call.at, units });
        return events.length > 0;
      },
      20_000,
      'there is no first paced call',
    );
    await delay(SETTLING_MS + seconds * 1000 + 300);
  } finally {
    await stopMessage(system, tenant, id);
  }
  for (const call of await bench.http.witnessed()) events.push({ at: call.at, units });
  const from = events.reduce((first, event) => Math.min(first, event.at), Number.POSITIVE_INFINITY) + SETTLING_MS;
  const watched = events.filter((event) => event.at >= from && event.at < from + seconds * 1000);
  const share = (watched.length * units) / (rate * seconds);
  bench.say(`pace ${rate}/s, ${workers} workers, ${units} a message: ${(share * 100).toFixed(1)} %, busiest second ${busiestSecond(events)}`);
  return { unitsPerSecond: rate, workers, unitsPerMessage: units, share: round(share), busiestSecond: busiestSecond(events) };
}
