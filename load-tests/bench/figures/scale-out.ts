import { type Bench, startMuster } from '#bench/bench.ts';
import { draft, type FanOut, fanOut } from '#bench/fan-out.ts';
import { seedPeople, SENDERS } from '#bench/people.ts';
import { median, round } from '#bench/statistics.ts';

export interface ScaleOutResult {
  readonly sends: number;
  readonly onePerSecond: number | null;
  readonly twoPerSecond: number | null;
  readonly ratio: number | null;
  /** Worker CPU time for each message with two workers, divided by the same with one. */
  readonly cpuRatio: number | null;
}

/**
 * Each process sends this many fan-outs before one is measured. A new process compiles and optimises while it sends: that
 * costs some 30 us for each of the first 10,000 messages and 15 us for each of the next. The second worker is new in every
 * round. After a single fan-out, of which it had sent half, two workers took 1.16 to 1.31 times the CPU of one; when each of
 * them had sent as much as that one, they took 1.07 times.
 */
const WARMING = 2;

/** Measures two worker processes against one alone, in turn, by SMS. */
export async function scaleOut(bench: Bench): Promise<ScaleOutResult> {
  const sends = bench.sizes.sms;
  const system = await startMuster(bench);
  try {
    const tenant = await system.addTenant([SENDERS.sms]);
    await seedPeople(system, tenant, { count: sends, channel: 'sms' });
    const send = () => fanOut(system, tenant, draft({ channel: 'sms' }), sends);
    const runs: Record<1 | 2, FanOut[]> = { 1: [], 2: [] };
    for (let i = 0; i < bench.sizes.rounds; i++)
      for (const workers of [1, 2] as const) {
        bench.checkTime();
        await system.setWorkers(workers);
        for (let warming = 0; warming < WARMING * workers; warming++) await send();
        runs[workers].push(await send());
      }
    const rate = (workers: 1 | 2): number => median(runs[workers].map((run) => run.perSecond));
    const cpu = (workers: 1 | 2): number => median(runs[workers].map((run) => run.workerCpuMs));
    bench.say(`scale-out: one ${Math.round(rate(1))}/s, two ${Math.round(rate(2))}/s`);
    return { sends, onePerSecond: round(rate(1)), twoPerSecond: round(rate(2)), ratio: round(rate(2) / rate(1)), cpuRatio: round(cpu(2) / cpu(1)) };
  } finally {
    await system.close();
  }
}
