import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisCluster } from '#testing/faults/redis-cluster.ts';
import { Promises, type Result, type Row, type Size } from '#testing/faults/row.ts';
import { alive, World } from '#testing/faults/world.ts';
import { until } from '#testing/until.ts';
import { movingAgain, probe } from './redis-away.ts';

/** All keys of the queue are in one slot, so the whole queue is lost with the master that has the slot. */
export const redisCluster: Row = {
  name: 'redis-cluster',
  about: 'the master with the queue is killed, its replica takes over (3 masters, 3 replicas)',
  only: 'redis',
  async run(outer, size) {
    const folder = mkdtempSync(join(tmpdir(), 'muster-cluster-'));
    const cluster = await RedisCluster.start(folder);
    let world: World | undefined;
    try {
      world = await World.create({ postgres: outer.postgres, redis: undefined, redisUrl: cluster.url, seed: size.seed });
      return await takeover(world, cluster, size);
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${world?.tail() ?? ''}`, { cause: error });
    } finally {
      await world?.close();
      await cluster.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function takeover(world: World, cluster: RedisCluster, { short }: Size): Promise<Result> {
  const people = short ? 3_000 : 10_000;
  await world.people(people, { tag: 'many' });
  await world.people(20, { first: 500_000, tag: 'few' });
  await world.start({ workers: 2 });
  const launched: string[] = [];
  await movingAgain(world, launched);
  await world.settled(launched);
  const steady = async (): Promise<number> => {
    let most = 0;
    // A consumer leaves its wait every few seconds, so the most that are seen waiting at once is how many there are.
    for (let i = 0; i < 20; i++) most = Math.max(most, await cluster.waitingConsumers());
    return most;
  };
  await until(async () => (await cluster.waitingConsumers()) > 0, 20_000, 'no consumer waits for jobs', 100);
  const consumers = await steady();
  const api = probe(world);
  world.simulator.control({ sms: { latencyMs: 40, latencyJitterMs: 40 } });
  const message = await world.launch({ class: 'bulk', audience: { tags: ['many'] } });
  launched.push(message.id);
  await until(() => world.simulator.state().calls >= people * 0.3, 120_000, 'the campaign stands still');
  const killedAt = performance.now();
  const takenOver = await cluster.killMaster();
  const movedMs = await movingAgain(world, launched);
  const takeoverMs = await takenOver();
  await until(
    async () => (await cluster.waitingConsumers()) >= consumers,
    60_000,
    () => `of ${consumers} consumers some never come back`,
    100,
  );
  const backMs = performance.now() - killedAt;
  const afterMs = await movingAgain(world, launched);
  await world.settled(launched);
  const { asked, refused, slowestMs } = await api.stop();
  await until(async () => (await cluster.waitingJobs()) === 0, 20_000, 'jobs stay in the queue', 100);
  const stuck = Math.max(0, consumers - (await steady()));
  const verdict = await world.check(launched);
  const promises = new Promises();
  promises.none(verdict, 'lost', 'doubled', 'inDoubt', 'miscounted');
  promises.hold(refused === 0, `the API refused ${refused} of ${asked}`);
  promises.hold(stuck === 0 && consumers > 0, `${stuck} of ${consumers} consumers are stuck`);
  promises.hold(Math.max(movedMs, afterMs) <= 20_000, `moving again only after ${Math.round(Math.max(movedMs, afterMs))} ms`);
  promises.hold(backMs <= 20_000, `every consumer is back only after ${Math.round(backMs)} ms`);
  promises.hold([...world.apis, ...world.workers].every(alive), `a process ended\n${world.tail()}`);
  return promises.result(verdict, {
    injected: 'SIGKILL of the master with the queue',
    recoverMs: Math.max(movedMs, afterMs),
    notes: [
      `taken over after ${(takeoverMs / 1000).toFixed(1)} s, all ${consumers} consumers back after ${(backMs / 1000).toFixed(1)} s, stuck ${stuck}`,
      `API errors ${refused} of ${asked}, slowest ${Math.round(slowestMs)} ms`,
    ],
  });
}
