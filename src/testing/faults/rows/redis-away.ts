import { setTimeout as delay } from 'node:timers/promises';
import { Promises, type Result, type Row, type Size } from '#testing/faults/row.ts';
import type { World } from '#testing/faults/world.ts';
import { until } from '#testing/until.ts';

/** Asks the API all the time; everything but a 2xx is counted. */
export function probe(world: World): { stop: () => Promise<{ asked: number; refused: number; slowestMs: number }> } {
  const over = new AbortController();
  let asked = 0;
  let refused = 0;
  let slowestMs = 0;
  const loop = (async () => {
    while (!over.signal.aborted) {
      const started = performance.now();
      asked += 1;
      const status = await world.call('POST', '/v1/messages', { class: 'ops', text: { en: 'Draft' }, audience: { all: true }, channels: ['sms'] }).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status !== 201) refused += 1;
      slowestMs = Math.max(slowestMs, performance.now() - started);
      await delay(100);
    }
  })();
  return { stop: async () => (over.abort(), await loop, { asked, refused, slowestMs }) };
}

/** Launches a message to a few people right after the fault. @returns the milliseconds until a carrier hears of it */
export async function movingAgain(world: World, launched: string[]): Promise<number> {
  const message = await world.launch({ class: 'life', audience: { tags: ['few'] } });
  launched.push(message.id);
  return until(() => world.calls().some((call) => call.messageId === message.id), 60_000, 'a message launched after the fault reaches nobody', 50);
}

async function run(world: World, { short }: Size, fault: (world: World) => Promise<void>, injected: string): Promise<Result> {
  const people = short ? 2_000 : 10_000;
  const { redis } = world;
  if (!redis) throw new Error('this row needs Redis');
  await world.people(people, { tag: 'many' });
  await world.people(20, { first: 500_000, tag: 'few' });
  await world.start({ workers: 2 });
  const api = probe(world);
  world.simulator.control({ sms: { latencyMs: 40, latencyJitterMs: 40 } });
  const message = await world.launch({ class: 'bulk', audience: { tags: ['many'] } });
  const launched = [message.id];
  let recoverMs = 0;
  for (const share of [0.1, 0.5, 0.9]) {
    await until(() => world.simulator.state().calls >= people * share, 120_000, 'the campaign stands still');
    await fault(world);
    recoverMs = Math.max(recoverMs, await movingAgain(world, launched));
  }
  await world.settled(launched);
  const { asked, refused, slowestMs } = await api.stop();
  const verdict = await world.check(launched);
  const promises = new Promises();
  promises.none(verdict, 'lost', 'doubled', 'inDoubt', 'miscounted');
  promises.hold(refused === 0, `the API refused ${refused} of ${asked}`);
  promises.hold(recoverMs <= 5_000, `moving again only after ${Math.round(recoverMs)} ms`);
  return promises.result(verdict, {
    injected,
    recoverMs,
    notes: [`API errors ${refused} of ${asked}, slowest ${Math.round(slowestMs)} ms`],
  });
}

export const redisFlush: Row = {
  name: 'redis-flush',
  about: 'Redis loses every key',
  only: 'redis',
  run: (world, size) => run(world, size, async (w) => w.redis?.flush(), 'FLUSHALL at 10, 50, 90 %'),
};

export const redisKill: Row = {
  name: 'redis-kill',
  about: 'Redis is killed and comes back empty',
  only: 'redis',
  run: (world, size) =>
    run(
      world,
      size,
      async ({ redis }) => {
        await redis?.kill();
        await redis?.up();
      },
      'SIGKILL and empty restart at 10, 50, 90 %',
    ),
};

export const redisAbsent: Row = {
  name: 'redis-absent',
  about: 'Redis is gone for a while',
  only: 'redis',
  async run(world, size) {
    const { redis } = world;
    if (!redis) throw new Error('this row needs Redis');
    const people = size.short ? 1_000 : 10_000;
    const absentMs = size.short ? 5_000 : 60_000;
    await world.people(people, { tag: 'many' });
    await world.people(20, { first: 500_000, tag: 'few' });
    await world.start({ workers: 2 });
    const speed = async (): Promise<{ id: string; perSecond: number }> => {
      const started = performance.now();
      const { id } = await world.launch({ class: 'bulk', audience: { tags: ['many'] } });
      await world.settled([id]);
      return { id, perSecond: (people / (performance.now() - started)) * 1_000 };
    };
    const warm = await speed();
    const normal = await speed();
    const api = probe(world);
    await redis.kill();
    const gone = performance.now();
    const launched = [warm.id, normal.id];
    let recoverMs = await movingAgain(world, launched);
    const ready = await world.call<{ status?: string; degraded?: string[] }>('GET', '/readyz');
    const without = await speed();
    launched.push(without.id);
    recoverMs = Math.max(recoverMs, await movingAgain(world, launched));
    await delay(Math.max(0, absentMs - (performance.now() - gone)));
    const absent = performance.now() - gone;
    await redis.up();
    recoverMs = Math.max(recoverMs, await movingAgain(world, launched));
    const { asked, refused, slowestMs } = await api.stop();
    await world.settled(launched);
    const verdict = await world.check(launched);
    const promises = new Promises();
    promises.none(verdict, 'lost', 'doubled');
    promises.hold(refused === 0, `the API refused ${refused} of ${asked}`);
    promises.hold(recoverMs <= 5_000, `moving again only after ${Math.round(recoverMs)} ms`);
    promises.hold(ready.status === 200 && ready.body.degraded?.includes('redis') === true, `readiness says ${ready.status} ${JSON.stringify(ready.body)}`);
    if (!size.short)
      promises.hold(without.perSecond >= normal.perSecond / 2, `${Math.round(without.perSecond)}/s without Redis, ${Math.round(normal.perSecond)}/s with it`);
    return promises.result(verdict, {
      injected: `absent for ${Math.round(absent / 1000)} s`,
      recoverMs,
      notes: [
        `API errors ${refused} of ${asked}, slowest ${Math.round(slowestMs)} ms`,
        `${Math.round(normal.perSecond)}/s with Redis, ${Math.round(without.perSecond)}/s without`,
        'readiness: degraded',
      ],
    });
  },
};
