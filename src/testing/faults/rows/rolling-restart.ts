import { freePort } from '#platform/free-port.ts';
import { show, startLoad } from '#testing/faults/load.ts';
import { startProxy } from '#testing/faults/proxy.ts';
import { Promises, type Row } from '#testing/faults/row.ts';
import { end } from '#testing/faults/world.ts';
import { until } from '#testing/until.ts';

/** A deploy during fan-out: for each process its replacement first, then SIGTERM; a plain balancer in front of the API. */
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
    let slowestEnd = 0;
    const badEnds: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const before = world.simulator.state().calls;
      launched.push(
        (
          await world.launch({ class: 'bulk', audience: { tags: ['many'] }, text: { en: `Round ${round}` } }).catch(async () => {
            throw new Error(`a launch was refused\n${world.tail()}`);
          })
        ).id,
      );
      await until(() => world.simulator.state().calls > before + 300, 60_000, 'no calls');
      const port = await freePort();
      const [oldApi] = world.apis;
      await world.startApi({ PORT: String(port) });
      ports.unshift(port);
      if (ports.length > 2) ports.length = 2;
      if (oldApi && round < rounds - 1) {
        // The first API also stands behind the carriers' callbacks and the runner's own calls: it leaves in the end.
        const other = world.apis[1];
        if (world.apis.length > 2 && other) {
          world.apis.splice(1, 1);
          ports.splice(1, 1, Number(new URL(world.apiUrl).port));
          slowestEnd = Math.max(slowestEnd, await end(other));
          if (other.process.exitCode !== 0) badEnds.push(`API ${other.process.exitCode ?? other.process.signalCode}`);
        }
      } else if (oldApi) {
        ports.splice(0, ports.length, port);
        slowestEnd = Math.max(slowestEnd, await end(oldApi));
        if (oldApi.process.exitCode !== 0) badEnds.push(`API ${oldApi.process.exitCode ?? oldApi.process.signalCode}`);
      }
      const oldWorker = world.workers.shift();
      await world.startWorker();
      if (oldWorker) {
        slowestEnd = Math.max(slowestEnd, await end(oldWorker));
        if (oldWorker.process.exitCode !== 0) badEnds.push(`worker ${oldWorker.process.exitCode ?? oldWorker.process.signalCode}`);
      }
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
    promises.hold(slowestEnd <= 20_000, `a process took ${Math.round(slowestEnd)} ms to end`);
    promises.hold(badEnds.length === 0, badEnds.join(', '));
    return promises.result(verdict, {
      injected: `rolling restart x ${rounds}`,
      notes: [`5xx ${serverErrors.length} of ${sent}, ${reconnected} repeated after a closed connection`, `slowest end ${(slowestEnd / 1000).toFixed(1)} s`],
    });
  },
};
