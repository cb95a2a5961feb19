import { join } from 'node:path';
import webpush from 'web-push';
import { type Bench, OutOfTime, pushUrlOf, startMuster } from '#bench/bench.ts';
import { startContestant, type MeasuredChannel } from '#bench/contestants/contestant.ts';
import { draft, fanOut } from '#bench/fan-out.ts';
import { browserKeys, seedPeople, SENDERS, tagPeople } from '#bench/people.ts';
import { median, round } from '#bench/statistics.ts';
import type { System, Tenant } from '#bench/system.ts';

/** Rates in messages a second, medians of `rounds`. */
export interface ChannelResult {
  readonly sends: number;
  readonly rounds: number;
  /** Queue of the figures below: Redis where it is installed, else Postgres. */
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
/** Messages that each contestant sends before the first round, so that none is measured while it compiles. */
const WARM_UP = 10_000;
/** Fewer than this say nothing. */
const FEWEST = 300;

interface Contender {
  run(count: number): Promise<Round>;
  /** Is called once after the warm-up, with the number of messages of a round. */
  settle(count: number): Promise<void>;
}

/** Three contestants a channel, one after the other in turn, each round checked against the carrier's own count. */
export async function throughput(bench: Bench): Promise<Partial<Record<MeasuredChannel, ChannelResult>>> {
  const systems: System[] = [];
  for (const queue of bench.redis ? (['redis', 'postgres'] as const) : (['postgres'] as const)) systems.push(await startMuster(bench, { queue }));
  const results: Partial<Record<MeasuredChannel, ChannelResult>> = {};
  try {
    // A part of the time is left to the other figures.
    const end = bench.options.figures.length > 1 ? bench.msLeft() * 0.25 : 0;
    for (const [i, channel] of ORDER.entries()) {
      bench.checkTime();
      results[channel] = await measure(bench, channel, systems, (bench.msLeft() - end) / (ORDER.length - i));
    }
  } catch (error) {
    if (Object.keys(results).length === 0) throw error;
    bench.note(`throughput: ${(error as Error).message}`);
  } finally {
    await Promise.all(systems.map((system) => system.close()));
  }
  return results;
}

const ORDER: readonly MeasuredChannel[] = ['sms', 'email', 'push'];

async function measure(bench: Bench, channel: MeasuredChannel, systems: readonly System[], allowedMs: number): Promise<ChannelResult> {
  const start = performance.now();
  const contenders = new Map<string, Contender>();
  for (const kind of ['bare', 'textbook'] as const) {
    if (kind === 'textbook' && channel === 'push' && bench.http.tls === undefined) continue;
    contenders.set(kind, await contestant(bench, channel, kind));
  }
  for (const system of systems) contenders.set(`muster-${system.queue}`, await muster(bench, system, channel));
  const once = async (name: string, contender: Contender, count: number): Promise<Round> => {
    bench.checkTime();
    const carrier = channel === 'email' ? bench.mail : bench.http;
    const before = await carrier.count();
    const round = await contender.run(count);
    const arrived = (await carrier.count()) - before;
    if (arrived !== count) throw new Error(`${channel}, ${name}: ${count} were sent, the carrier counted ${arrived}`);
    return round;
  };
  const warmUp = warmUpOf(bench, channel);
  let msEach = 0;
  for (const [name, contender] of contenders) msEach += (await once(name, contender, warmUp)).ms / warmUp;
  const fits = Math.floor((allowedMs - (performance.now() - start)) / bench.sizes.rounds / msEach);
  const sends = Math.min(bench.sizes[channel], Math.max(FEWEST, fits));
  if (sends < bench.sizes[channel]) bench.note(`${channel}: ${sends} sends a round instead of ${bench.sizes[channel]}, to end in time`);
  for (const contender of contenders.values()) await contender.settle(sends);
  const rounds = new Map<string, Round[]>([...contenders.keys()].map((name) => [name, []]));
  try {
    for (let turn = 0; turn < bench.sizes.rounds; turn++) {
      // The order rotates, so that no contestant always follows the textbook's database work.
      const names = [...contenders];
      for (const [name, contender] of [...names.slice(turn % names.length), ...names.slice(0, turn % names.length)]) {
        const round = await once(name, contender, sends);
        rounds.get(name)?.push(round);
        bench.say(`${channel} ${name} ${turn + 1}/${bench.sizes.rounds}: ${Math.round((sends / round.ms) * 1000)}/s`);
      }
    }
  } catch (error) {
    const fewest = Math.min(...[...rounds.values()].map((all) => all.length));
    if (!(error instanceof OutOfTime) || fewest === 0) throw error;
    bench.note(`${channel}: only ${fewest} of ${bench.sizes.rounds} rounds, the time allowed was over`);
  }
  return summary(sends, rounds, systems[0]?.queue ?? 'postgres');
}

const warmUpOf = (bench: Bench, channel: MeasuredChannel): number => Math.min(WARM_UP, Math.ceil(bench.sizes[channel] / 4));

async function contestant(bench: Bench, channel: MeasuredChannel, kind: 'bare' | 'textbook'): Promise<Contender> {
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
  const { run } = await startContestant(kind, config, { logFile: join(bench.folder, `${kind}-${channel}.log`), certificate: bench.http.tls?.certificate });
  return { run, settle: async () => undefined };
}

async function muster(bench: Bench, system: System, channel: MeasuredChannel): Promise<Contender> {
  const tenant: Tenant = await system.addTenant([SENDERS[channel]]);
  await seedPeople(system, tenant, { count: bench.sizes[channel], channel, pushUrl: pushUrlOf(bench), first: warmUpOf(bench, channel) });
  let audience: unknown = { tags: ['first'] };
  return {
    settle: async (count) => {
      audience = count === bench.sizes[channel] ? { all: true } : { tags: ['fits'] };
      if (count < bench.sizes[channel]) await tagPeople(system, tenant, 'fits', count);
    },
    run: async (count) => {
      const { ms, workerCpuMs, rssMb } = await fanOut(system, tenant, draft({ channel, audience }), count);
      return { ms, cpuMs: workerCpuMs, rssMb };
    },
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
