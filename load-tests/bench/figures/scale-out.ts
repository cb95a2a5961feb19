import { type Bench, startMuster } from '#bench/bench.ts';
import { draft, type FanOut, fanOut } from '#bench/fan-out.ts';
import { seedPeople, SENDERS } from '#bench/people.ts';
import { median, round } from '#bench/statistics.ts';

export interface ScaleOutResult {
  readonly sends: number;
  readonly onePerSecond: number | null;
  readonly twoPerSecond: number | null;
  readonly ratio: number | null;
  /** Worker CPU time per message, two workers together against one. */
  readonly cpuRatio: number | null;
}

/**
 * Fan-outs for each process before one is measured. A new process compiles and optimises while it sends, some 30 us a message
 * of the first 10,000 and 15 of the next, and the second worker is new in every round: after one fan-out, of which it had sent half, two
 * workers took 1.16 to 1.31 times the CPU of one, and 1.07 when each of them had sent as much as that one.
 */
const WARMING = 2;

/** A second worker process against one alone, in turn, by SMS. */
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
