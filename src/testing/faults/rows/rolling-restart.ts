import { freePort } from '#platform/free-port.ts';
import { show, startLoad } from '#testing/faults/load.ts';
import { startProxy } from '#testing/faults/proxy.ts';
import { Promises, type Row } from '#testing/faults/row.ts';
import { type Child, end, type World } from '#testing/faults/world.ts';
import { until } from '#testing/until.ts';

/** How the processes that were replaced ended. */
interface Ends {
  slowestMs: number;
  /** Those that did not end with code 0. */
  readonly bad: string[];
}

async function endWell(ends: Ends, name: string, child: Child | undefined): Promise<void> {
  if (!child) return;
  ends.slowestMs = Math.max(ends.slowestMs, await end(child));
  if (child.process.exitCode !== 0) ends.bad.push(`${name} ${child.process.exitCode ?? child.process.signalCode}`);
}

/**
 * Starts a new API in front of the old one, then ends the old one. The first API also stands behind the carriers'
 * callbacks and the runner's own calls, so it leaves in the last round only.
 * @param ports where the balancer sends connections, in order
 */
async function replaceApi(world: World, ports: number[], ends: Ends, lastRound: boolean): Promise<void> {
  const port = await freePort();
  await world.startApi({ PORT: String(port) });
  if (lastRound) {
    ports.splice(0, ports.length, port);
    return endWell(ends, 'API', world.apis[0]);
  }
  ports.unshift(port);
  ports.splice(2);
  if (world.apis.length < 3) return;
  ports.splice(1, 1, Number(new URL(world.apiUrl).port));
  const [replaced] = world.apis.splice(1, 1);
  await endWell(ends, 'API', replaced);
}

async function replaceWorker(world: World, ends: Ends): Promise<void> {
  const old = world.workers.shift();
  await world.startWorker();
  await endWell(ends, 'worker', old);
}

/** A deploy during fan-out, behind a plain balancer: for each process its replacement starts first, then SIGTERM ends it. */
export const rollingRestart: Row = {
  name: 'rolling-restart',
  about: 'API and workers replaced one after the other under load',
  async run(world, { short }) {
    const people = short ? 3_000 : 10_000;
    const rounds = short ? 1 : 5;
    await world.people(people, { tag: 'many' });
    await world.people(1, { first: 500_000, tag: 'one' });
    await world.start({ workers: 1 });
    const ports = [Number(new URL(world.apiUrl).port)];
    const proxy = await startProxy({ targets: () => ports });
    world.simulator.control({ sms: { latencyMs: 40, latencyJitterMs: 40 } });
    const load = startLoad(world, { name: 'Roll', clients: 3, pauseMs: 30, retryMs: 50, base: proxy.url });
    const launched: string[] = [];
    const ends: Ends = { slowestMs: 0, bad: [] };
    for (let round = 0; round < rounds; round++) {
      const before = world.simulator.state().calls;
      const { id } = await world.launch({ class: 'bulk', audience: { tags: ['many'] }, text: { en: `Round ${round}` } }).catch((error: Error) => {
        throw new Error(`a launch was refused\n${world.tail()}`, { cause: error });
      });
      launched.push(id);
      await until(() => world.simulator.state().calls > before + 300, 60_000, 'no calls');
      await replaceApi(world, ports, ends, round === rounds - 1);
      await replaceWorker(world, ends);
      await world.settled(launched);
    }
    await load.stop();
    await proxy.close();
    const ids = [...launched, ...load.accepted.values()];
    await world.settled(ids);
    const verdict = await world.check(ids);
    const messages = await load.stored();
    const sent = load.keys();
    const serverErrors = load.refused.filter(({ status }) => status >= 500);
    const reconnected = load.refused.length - serverErrors.length;
    const promises = new Promises();
    promises.hold(serverErrors.length === 0, `5xx: ${show(serverErrors)}`);
    promises.hold(messages === sent, `${messages} messages for ${sent} keys`);
    promises.none(verdict, 'lost', 'doubled', 'inDoubt', 'miscounted');
    promises.hold(ends.slowestMs <= 20_000, `a process took ${Math.round(ends.slowestMs)} ms to end`);
    promises.hold(ends.bad.length === 0, ends.bad.join(', '));
    return promises.result(verdict, {
      injected: `rolling restart x ${rounds}`,
      notes: [
        `5xx ${serverErrors.length} of ${sent}, ${reconnected} repeated after a closed connection`,
        `slowest end ${(ends.slowestMs / 1000).toFixed(1)} s`,
      ],
    });
  },
};
