import { setTimeout as delay } from 'node:timers/promises';
import { startProxy, throughProxy } from '#testing/faults/proxy.ts';
import { Promises, type Row } from '#testing/faults/row.ts';
import { SLOW_MS, slowCampaign } from '#testing/faults/slow-campaign.ts';

/** This is longer than the lease, so another worker's sweep sets what the worker had marked in doubt. */
const CUT_MS = 15_000;
/** How long calls may go on: five looks at the rows without an answer, the call under way, and what a busy machine adds. */
const EFFECT_MS = 3_000;

/** A worker loses its database in the midst of a campaign on a slow carrier; then the campaign is stopped. */
export const stopCutOff: Row = {
  name: 'stop-cut-off',
  about: 'a stop that a worker without its database cannot hear of',
  async run(world, { short }) {
    const people = short ? 3_000 : 6_000;
    await world.people(people);
    await world.startApi();
    const port = Number(new URL(world.databaseUrl).port);
    const proxy = await startProxy({ targets: () => [port] });
    await world.startWorker({ DATABASE_URL: throughProxy(world.databaseUrl, proxy) });
    const message = await slowCampaign(world, people / 2);
    const cutAt = Date.now();
    proxy.cut();
    const { body } = await world.call<{ inFlight: number }>('POST', `/v1/messages/${message.publicId}/stop`);
    await world.startWorker();
    await delay(CUT_MS);
    const doubtful = await world.number(`SELECT count(*) AS n FROM deliveries WHERE message_id = $1 AND state = 'unknown'`, [message.id]);
    const before = world.calls().length;
    const mendedAt = Date.now();
    proxy.mend();
    await world.settled([message.id], { doubt: true });
    const recoverMs = Date.now() - mendedAt;
    const verdict = await world.check([message.id]);
    await proxy.close();
    const effectMs = Math.max(...verdict.calls.map((call) => call.at)) - cutAt;
    const back = verdict.rows.filter((row) => row.state === 'cancelled' && row.code === 'not_called').length;
    const promises = new Promises();
    promises.hold(effectMs <= EFFECT_MS, `calls until ${effectMs} ms after the cut`);
    promises.hold(verdict.calls.length === before, `${verdict.calls.length - before} calls after the database was back`);
    promises.hold(body.inFlight > 0 && doubtful > 0 && back > 0, `${body.inFlight} in flight, ${doubtful} in doubt and ${back} taken back prove nothing`);
    promises.none(verdict, 'lost', 'doubled', 'miscounted', 'inDoubt');
    promises.hold(verdict.unmarked === 0, `${verdict.unmarked} calls of people who were taken back`);
    return promises.result(verdict, {
      injected: `worker without its database for ${CUT_MS / 1_000} s, a stop; answers after ${SLOW_MS / 1_000} s`,
      people,
      recoverMs,
      notes: [`${body.inFlight} in flight, last call ${effectMs} ms after the cut`, `${doubtful} in doubt meanwhile, ${back} taken back`],
    });
  },
};
