import { setTimeout as delay } from 'node:timers/promises';
import { type Load, type LoadOptions, show, startLoad } from '#testing/faults/load.ts';
import { Promises, type Result, type Row, type Size } from '#testing/faults/row.ts';
import { startStandby } from '#testing/faults/standby.ts';
import { PostgresServer } from '#testing/faults/servers.ts';
import { startProxy, throughProxy } from '#testing/faults/proxy.ts';
import { alive, World } from '#testing/faults/world.ts';
import { until } from '#testing/until.ts';

const LOAD: LoadOptions = { name: 'Load', clients: 2, pauseMs: 50, retryMs: 200 };

/** What these rows do to the database: it is gone for a moment, then back with everything that was answered. */
interface Fault {
  readonly injected: string;
  readonly times: number;
  /** Resolves when the database takes connections again. */
  strike(): Promise<void>;
}

/** The database goes away while a campaign runs and clients post: what was answered 201 must be there and must be sent. */
async function underLoad(world: World, { short }: Size, fault: Fault): Promise<Result> {
  const people = short ? 2_000 : 10_000;
  await world.people(people, { tag: 'many' });
  await world.people(1, { first: 500_000, tag: 'one' });
  await world.start({ workers: 2 });
  world.simulator.control({ sms: { latencyMs: 30, latencyJitterMs: 60 } });
  const message = await world.launch({ class: 'bulk', audience: { tags: ['many'] } });
  const load = startLoad(world, LOAD);
  let recoverMs = 0;
  for (let i = 0; i < fault.times; i++) {
    const target = Math.min(people * ((i + 1) / (fault.times + 1)), people - 1);
    await Promise.race([until(() => world.simulator.state().calls >= target, 120_000, 'nothing moves'), delay(6_000)]);
    await fault.strike();
    recoverMs = Math.max(recoverMs, await moving(world, load));
  }
  await load.stop();
  const ids = [message.id, ...load.accepted.values()];
  await world.settled(ids, { timeoutMs: 180_000 });
  const verdict = await world.check(ids);
  const stored = await world.number('SELECT count(*) AS n FROM messages WHERE id = ANY ($1::bigint[])', [ids]);
  const loadMessages = await load.stored();
  const bulk = await world.check([message.id]);
  const later = load.refused.filter(({ status }) => status === 503 || status === 409).length;
  const odd = load.refused.filter(({ status }) => status !== 503 && status !== 409);
  const promises = new Promises();
  promises.hold(stored === ids.length, `${ids.length - stored} accepted messages are gone`);
  promises.hold(
    new Set(load.accepted.values()).size === load.keys() && loadMessages === load.keys(),
    `${load.keys()} keys, ${load.accepted.size} answers, ${loadMessages} messages`,
  );
  promises.none(verdict, 'lost', 'miscounted');
  promises.hold(bulk.doubled === 0, `bulk doubled ${bulk.doubled}`);
  promises.hold([...world.apis, ...world.workers].every(alive), `a process ended:\n${world.tail()}`);
  promises.hold(odd.length === 0, `answers other than 503: ${show(odd)}`);
  promises.hold(recoverMs <= 10_000, `moving again only after ${Math.round(recoverMs)} ms`);
  return promises.result(verdict, {
    injected: fault.injected,
    recoverMs,
    notes: [`${ids.length} messages accepted, ${stored} there`, `${later} answers "not now"`, 'processes that ended: 0'],
  });
}

/** Waits until both ways work: a client's message is accepted, and a carrier gets a call. */
function moving(world: World, load: Load): Promise<number> {
  const answered = load.accepted.size;
  const { calls } = world.simulator.state();
  return until(
    () => load.accepted.size > answered && world.simulator.state().calls > calls,
    60_000,
    () => `not moving again: ${load.accepted.size} accepted, ${show(load.refused)}\n${world.tail()}`,
  );
}

export const postgresCrash: Row = {
  name: 'postgres-crash',
  about: 'Postgres stopped immediately, several times, under load',
  run: (world, size) => {
    const times = size.short ? 2 : 10;
    const strike = async (): Promise<void> => {
      await world.postgres.crash();
      await delay(300);
      await world.postgres.up();
    };
    return underLoad(world, size, { injected: `SIGQUIT x ${times}`, times, strike });
  },
};

/** A commit is answered when the standby has it, so the standby must have everything that was accepted. */
export const postgresFailover: Row = {
  name: 'postgres-failover',
  about: 'the primary killed under load, its synchronous standby promoted',
  async run(outer, size) {
    const primary = await PostgresServer.start(outer.postgres.sibling('primary'));
    const standby = await startStandby(primary, outer.postgres.sibling('standby'));
    let port = primary.port;
    const proxy = await startProxy({ targets: () => [port] });
    let world: World | undefined;
    try {
      world = await World.create({ postgres: primary, redis: outer.redis, seed: size.seed, through: (url) => throughProxy(url, proxy) });
      await standby.synchronous();
      const strike = async (): Promise<void> => {
        await primary.crash('SIGKILL');
        await standby.promote();
        port = standby.port;
      };
      return await underLoad(world, size, { injected: 'SIGKILL of the primary, standby promoted', times: 1, strike });
    } finally {
      await world?.close();
      await proxy.close();
      await standby.close();
      await primary.close();
    }
  },
};
