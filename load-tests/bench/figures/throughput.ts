import { join } from 'node:path';
import webpush from 'web-push';
import { type Bench, pushUrlOf, startMuster } from '#bench/bench.ts';
import { type RunningContestant, startContestant } from '#bench/contestants/contestant.ts';
import { draft, fanOut } from '#bench/fan-out.ts';
import { browserKeys, seedPeople, SENDERS } from '#bench/people.ts';
import { median, round } from '#bench/statistics.ts';
import type { System, Tenant } from '#bench/system.ts';
import { CHANNELS, type Channel } from '#schemas/delivery.ts';

/** Rates in messages a second, medians of `rounds`. */
export interface ChannelResult {
  readonly sends: number;
  readonly rounds: number;
  /** Muster on Redis where it is there, else on the Postgres queue. */
  readonly queue: 'redis' | 'postgres';
  readonly perSecond: number | null;
  readonly bareLoopPerSecond: number | null;
  readonly textbookPerSecond: number | null;
  readonly ratioToBare: number | null;
  readonly ratioToTextbook: number | null;
  /** CPU time of the worker process alone. */
  readonly cpuMicrosPerMessage: number | null;
  readonly rssMb: number | null;
  /** The same with the queue on Postgres. */
  readonly onPostgresQueue: { readonly perSecond: number | null; readonly ratioToBare: number | null; readonly cpuMicrosPerMessage: number | null };
  readonly bareLoopCpuMicrosPerMessage: number | null;
  readonly textbookCpuMicrosPerMessage: number | null;
  /** Every round's rate, so that a reader sees how much they differ. */
  readonly all: Readonly<Record<string, (number | null)[]>>;
}

interface Round {
  readonly ms: number;
  readonly cpuMs: number;
  readonly rssMb: number;
}
type Run = (count: number) => Promise<Round>;

/** Sent before the first round, so that no contestant is measured while it compiles. */
const WARM_UP = 2_000;

/** Three contestants a channel, one after the other in turn, each round checked against the carrier's own count. */
export async function throughput(bench: Bench): Promise<Partial<Record<Channel, ChannelResult>>> {
  const systems: System[] = [];
  for (const queue of bench.redis ? (['redis', 'postgres'] as const) : (['postgres'] as const)) systems.push(await startMuster(bench, { queue }));
  const results: Partial<Record<Channel, ChannelResult>> = {};
  try {
    for (const channel of CHANNELS.toSorted((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b))) {
      bench.checkTime();
      results[channel] = await measure(bench, channel, systems);
    }
  } catch (error) {
    if (Object.keys(results).length === 0) throw error;
    bench.note(`throughput: ${(error as Error).message}`);
  } finally {
    await Promise.all(systems.map((system) => system.close()));
  }
  return results;
}

const ORDER: readonly Channel[] = ['sms', 'email', 'push'];

async function measure(bench: Bench, channel: Channel, systems: readonly System[]): Promise<ChannelResult> {
  const sends = bench.sizes[channel];
  const contestants = new Map<string, Run>();
  for (const kind of ['bare', 'textbook'] as const) {
    if (kind === 'textbook' && channel === 'push' && bench.http.tls === undefined) continue;
    contestants.set(kind, await contestantRun(bench, channel, kind));
  }
  for (const system of systems) contestants.set(`muster-${system.queue}`, await musterRun(bench, system, channel, sends));
  const rounds = new Map<string, Round[]>([...contestants.keys()].map((name) => [name, []]));
  const names = [...contestants.keys()];
  const counted = channel === 'email' ? bench.mail : bench.http;
  for (let turn = -1; turn < bench.sizes.rounds; turn++) {
    // Each begins one round, so that none is always the one after the textbook's database work.
    const shift = Math.max(0, turn) % names.length;
    for (const name of [...names.slice(shift), ...names.slice(0, shift)]) {
      bench.checkTime();
      const count = turn < 0 ? Math.min(WARM_UP, sends) : sends;
      const before = await counted.count();
      const result = await contestants.get(name)?.(count);
      const arrived = (await counted.count()) - before;
      if (arrived !== count) throw new Error(`${channel}, ${name}: ${count} were sent, the carrier counted ${arrived}`);
      if (turn < 0 || !result) continue;
      rounds.get(name)?.push(result);
      bench.say(`${channel} ${name} ${turn + 1}/${bench.sizes.rounds}: ${Math.round((count / result.ms) * 1000)}/s`);
    }
  }
  return summary(sends, rounds, systems[0]?.queue ?? 'postgres');
}

async function contestantRun(bench: Bench, channel: Channel, kind: 'bare' | 'textbook'): Promise<Run> {
  const config = {
    channel,
    smsUrl: bench.http.url,
    mailPort: bench.mail.port,
    pushUrl: pushUrlOf(bench),
    vapid: webpush.generateVAPIDKeys(),
    keys: channel === 'push' ? browserKeys() : [],
    databaseUrl: kind === 'textbook' ? await bench.postgres.createDatabase() : '',
    redisUrl: bench.redis?.url,
  };
  const contestant: RunningContestant = await startContestant(kind, config, {
    logFile: join(bench.folder, `${kind}-${channel}.log`),
    certificate: bench.http.tls?.certificate,
  });
  return contestant.run;
}

async function musterRun(bench: Bench, system: System, channel: Channel, sends: number): Promise<Run> {
  const tenant: Tenant = await system.addTenant([SENDERS[channel]]);
  const first = Math.min(WARM_UP, sends);
  await seedPeople(system, tenant, { count: sends, channel, pushUrl: pushUrlOf(bench), first });
  return async (count) => {
    const audience = count === sends ? { all: true } : { tags: ['first'] };
    const { ms, workerCpuMs, rssMb } = await fanOut(system, tenant, draft({ channel, audience }), count);
    return { ms, cpuMs: workerCpuMs, rssMb };
  };
}

function summary(sends: number, rounds: ReadonlyMap<string, readonly Round[]>, queue: 'redis' | 'postgres'): ChannelResult {
  const rates = (name: string): number[] => (rounds.get(name) ?? []).map(({ ms }) => (sends / ms) * 1000);
  const rate = (name: string): number => median(rates(name));
  const cpu = (name: string): number => median((rounds.get(name) ?? []).map(({ cpuMs }) => (cpuMs * 1000) / sends));
  const muster = `muster-${queue}`;
  return {
    sends,
    rounds: rounds.get(muster)?.length ?? 0,
    queue,
    perSecond: round(rate(muster)),
    bareLoopPerSecond: round(rate('bare')),
    textbookPerSecond: round(rate('textbook')),
    ratioToBare: round(rate(muster) / rate('bare')),
    ratioToTextbook: round(rate(muster) / rate('textbook')),
    cpuMicrosPerMessage: round(cpu(muster)),
    rssMb: round(median((rounds.get(muster) ?? []).map((one) => one.rssMb))),
    onPostgresQueue: {
      perSecond: round(rate('muster-postgres')),
      ratioToBare: round(rate('muster-postgres') / rate('bare')),
      cpuMicrosPerMessage: round(cpu('muster-postgres')),
    },
    bareLoopCpuMicrosPerMessage: round(cpu('bare')),
    textbookCpuMicrosPerMessage: round(cpu('textbook')),
    all: Object.fromEntries([...rounds.keys()].map((name) => [name, rates(name).map(round)])),
  };
}
