import { setTimeout as delay } from 'node:timers/promises';
import type { BehaviourChange } from '#simulator/control.ts';
import { Promises, type Result, type Row, type Size } from '#testing/faults/row.ts';
import { end, until, type World } from '#testing/faults/world.ts';

/** Taken and never answered: after the adapter's deadline nobody can say. Bulk lists it, life calls again. */
async function silent(world: World, { short }: Size, klass: 'bulk' | 'life'): Promise<Result> {
  const people = short ? 200 : 2_000;
  await world.people(people);
  await world.startApi();
  await world.startWorker();
  world.simulator.control({ sms: { silentShare: 0.05 } });
  const message = await world.launch({ class: klass });
  // The carrier's first callback would end every doubt; here nobody is there to take it.
  for (const api of world.apis) await end(api);
  await world.settled([message.id], { doubt: klass === 'life' || !short, timeoutMs: 300_000 });
  const verdict = await world.check([message.id]);
  const resends = verdict.rows.reduce((sum, row) => sum + Math.max(0, row.attempts - 1), 0);
  const promises = new Promises();
  promises.hold(verdict.lost === 0, `lost ${verdict.lost}`);
  promises.hold(verdict.miscounted === 0, `counters differ from rows by ${verdict.miscounted}`);
  if (klass === 'bulk') {
    promises.hold(verdict.doubled === 0, `doubled ${verdict.doubled}`);
    promises.hold(verdict.inDoubt > 0, 'nothing is listed as in doubt');
  } else {
    promises.hold(verdict.doubled === resends, `doubled ${verdict.doubled}, resends ${resends}`);
    promises.hold(verdict.inDoubt === 0 && verdict.states.failed === 0, `${verdict.inDoubt} in doubt, ${verdict.states.failed} given up`);
  }
  return {
    injected: `5 % taken and never answered (${klass})`,
    people,
    lost: verdict.lost,
    doubled: verdict.doubled,
    inDoubt: verdict.inDoubt,
    recoverMs: null,
    notes: [`${resends} calls repeated after doubt`],
    broken: promises.broken,
  };
}

export const providerSilentBulk: Row = {
  name: 'provider-silent-bulk',
  about: 'calls taken and never answered, campaign',
  run: (world, size) => silent(world, size, 'bulk'),
};
export const providerSilentLife: Row = {
  name: 'provider-silent-life',
  about: 'calls taken and never answered, life message',
  run: (world, size) => silent(world, size, 'life'),
};

/** Hand-over times of small life messages by e-mail, one after the other. */
async function lifeTimes(world: World, ids: string[], count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = Date.now();
    const { id } = await world.launch({ class: 'life', audience: { tags: ['mail'] }, channels: ['email'] });
    ids.push(id);
    await until(() => world.calls().filter((call) => call.messageId === id).length >= 20, 60_000, 'a life message waits', 10);
    times.push(
      ...world
        .calls()
        .filter((call) => call.messageId === id)
        .map((call) => call.at - started),
    );
  }
  return times.toSorted((a, b) => a - b);
}

const p99 = (times: number[]): number => times[Math.floor(times.length * 0.99)] ?? 0;

/** One channel of one class is in trouble: nothing is lost there, and life on another channel does not feel it. */
async function trouble(world: World, { short }: Size, injected: string, change: BehaviourChange, calm: BehaviourChange): Promise<Result> {
  const people = short ? 300 : 2_000;
  const rounds = short ? 3 : 20;
  await world.people(people, { tag: 'many' });
  await world.people(20, { first: 500_000, tag: 'mail', mail: true });
  await world.startApi();
  await world.startWorker();
  const ids: string[] = [];
  // Bulk runs in both measurements, so that the difference is the fault's alone.
  world.simulator.control({ sms: { latencyMs: 100 } });
  await lifeTimes(world, ids, 2);
  const first = await world.launch({ class: 'bulk', audience: { tags: ['many'] } });
  const before = await lifeTimes(world, ids, rounds);
  await world.settled([first.id], { timeoutMs: 240_000 });
  world.simulator.control(change);
  const second = await world.launch({ class: 'bulk', audience: { tags: ['many'] } });
  const during = await lifeTimes(world, ids, rounds);
  await delay(short ? 3_000 : 60_000);
  world.simulator.control(calm);
  const ended = performance.now();
  await world.settled([first.id, second.id, ...ids], { timeoutMs: 300_000 });
  const recoverMs = performance.now() - ended;
  const verdict = await world.check([first.id, second.id, ...ids]);
  const promises = new Promises();
  promises.hold(verdict.lost === 0, `lost ${verdict.lost}`);
  promises.hold(verdict.doubled === 0, `doubled ${verdict.doubled}`);
  promises.hold(verdict.states.failed === 0, `${verdict.states.failed} given up`);
  promises.hold(verdict.miscounted === 0, `counters differ from rows by ${verdict.miscounted}`);
  const [was, is] = [p99(before), p99(during)];
  // A tenth of a few milliseconds is noise on a shared machine: at least 50 ms are allowed.
  if (!short) promises.hold(is <= was * 1.1 + 50, `p99 of the life lane went from ${was} to ${is} ms`);
  return {
    injected,
    people: verdict.people,
    lost: verdict.lost,
    doubled: verdict.doubled,
    inDoubt: verdict.inDoubt,
    recoverMs,
    notes: [`life lane p99 ${was} ms before, ${is} ms during`],
    broken: promises.broken,
  };
}

const CALM: BehaviourChange = { sms: { latencyMs: 0, perSecond: null, errorShare: 0 } };

export const providerThrottles: Row = {
  name: 'provider-429',
  about: 'the carrier answers 429 for a minute',
  run: (world, size) => trouble(world, size, `429 to all but 5 a second, ${size.short ? '3 s' : '1 min'}`, { sms: { latencyMs: 100, perSecond: 5 } }, CALM),
};
export const providerErrors: Row = {
  name: 'provider-503',
  about: 'the carrier answers 503 for a minute',
  run: (world, size) => trouble(world, size, `503 to half of the calls, ${size.short ? '3 s' : '1 min'}`, { sms: { latencyMs: 100, errorShare: 0.5 } }, CALM),
};
export const providerSlow: Row = {
  name: 'provider-slow',
  about: 'the carrier takes 30 s for each answer',
  run: (world, size) =>
    trouble(
      world,
      size,
      size.short ? 'every answer takes 3 s, for 3 s' : 'every answer takes 30 s, for 1 min',
      { sms: { latencyMs: size.short ? 3_000 : 30_000 } },
      CALM,
    ),
};
