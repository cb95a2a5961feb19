import { type Bench, startMuster } from '#bench/bench.ts';
import { draft, type FanOut, fanOut, firstWitnessed } from '#bench/fan-out.ts';
import { seedPeople, SENDERS } from '#bench/people.ts';
import { median, round } from '#bench/statistics.ts';

export interface GrowthResult {
  readonly small: number;
  readonly large: number;
  /** Microseconds of wall time for each delivery, with one worker. */
  readonly smallMicros: number | null;
  readonly largeMicros: number | null;
  readonly ratio: number | null;
  /** The same for the worker's CPU time. */
  readonly cpuRatio: number | null;
  /** Milliseconds from the POST to the first call, for the audience `large`. */
  readonly firstCallMs: number | null;
  /** Peak of the worker's memory during `large`, and its median in the second and in the last tenth of the time. */
  readonly rssMb: number | null;
  readonly rssMbEarly: number | null;
  readonly rssMbLate: number | null;
}

/**
 * Does a delivery cost more when there are many? The small audience is part of the same table, and is measured before and
 * after.
 */
export async function growth(bench: Bench): Promise<GrowthResult> {
  const { small, large, rounds } = bench.sizes;
  const system = await startMuster(bench, { smsUrl: bench.http.witnessUrl });
  try {
    const tenant = await system.addTenant([SENDERS.sms]);
    await seedPeople(system, tenant, { count: large, channel: 'sms', first: small });
    const sendSmall = () => fanOut(system, tenant, draft({ channel: 'sms', audience: { tags: ['first'] } }), small);
    await sendSmall();
    const smalls: FanOut[] = [];
    for (let i = 0; i < rounds; i++) smalls.push(await sendSmall());
    bench.checkTime();
    bench.say(`growth: ${large} deliveries …`);
    await bench.http.witnessed();
    const many = await fanOut(system, tenant, draft({ channel: 'sms' }), large);
    const first = await firstWitnessed(bench.http, large);
    for (let i = 0; i < rounds; i++) smalls.push(await sendSmall());
    const smallMicros = (median(smalls.map((one) => one.ms)) * 1000) / small;
    const smallCpu = median(smalls.map((one) => one.workerCpuMs)) / small;
    const tenth = Math.max(1, Math.floor(many.rssSamples.length / 10));
    return {
      small,
      large,
      smallMicros: round(smallMicros),
      largeMicros: round((many.ms * 1000) / large),
      ratio: round((many.ms * 1000) / large / smallMicros),
      cpuRatio: round(many.workerCpuMs / large / smallCpu),
      firstCallMs: round(first - many.postedAt),
      rssMb: round(many.rssMb),
      rssMbEarly: round(median(many.rssSamples.slice(tenth, 2 * tenth))),
      rssMbLate: round(median(many.rssSamples.slice(-tenth))),
    };
  } finally {
    await system.close();
  }
}
