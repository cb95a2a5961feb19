import { setTimeout as delay } from 'node:timers/promises';
import { Promises, type Row } from '#testing/faults/row.ts';
import { until } from '#testing/until.ts';

/** A frozen process is worse than a dead one: it wakes up and believes that its batches are still its own. */
export const workerFreeze: Row = {
  name: 'worker-freeze',
  about: 'a worker stopped for longer than its lease, then continued',
  async run(world, { short }) {
    const people = short ? 2_000 : 5_000;
    await world.people(people);
    await world.startApi();
    const frozen = await world.startWorker();
    world.simulator.control({ sms: { latencyMs: 30, latencyJitterMs: 40 } });
    const message = await world.launch({ class: 'bulk' });
    await until(() => world.simulator.state().calls > 200, 30_000, 'no calls');
    frozen.process.kill('SIGSTOP');
    const stoppedAt = performance.now();
    await world.startWorker();
    // From here on other workers take over the rows, and none may change under a fence that has passed.
    await until(
      async () => (await world.number(`SELECT count(*) AS n FROM batches WHERE state = 'claimed' AND claimed_by = $1`, [frozen.name])) === 0,
      30_000,
      'lease not ended',
      50,
    );
    const recoverMs = await until(async () => (await world.open([message.id], false)) === 0, 120_000, 'the others do not finish', 50);
    await delay(short ? 1_000 : Math.max(0, 60_000 - (performance.now() - stoppedAt)));
    const before = await world.check([message.id]);
    const fences = await world.pool.query<{ key: string; fence: number; state: string }>(
      `SELECT recipient_id::text AS key, fence, state::text FROM deliveries WHERE message_id = $1`,
      [message.id],
    );
    const frozenMs = performance.now() - stoppedAt;
    frozen.process.kill('SIGCONT');
    await delay(5_000);
    const after = await world.pool.query<{ key: string; fence: number; state: string }>(
      `SELECT recipient_id::text AS key, fence, state::text FROM deliveries WHERE message_id = $1`,
      [message.id],
    );
    const was = new Map(fences.rows.map((row) => [row.key, row]));
    // The frozen worker may report late that its own calls were accepted, which is evidence and may end a doubt. Any other
    // change is a stale write.
    const stale = after.rows.filter((row) => {
      const old = was.get(row.key);
      return (
        old === undefined ||
        row.fence !== old.fence ||
        (row.state !== old.state && !(row.state === 'accepted' && ['unknown', 'unresolved'].includes(old.state)))
      );
    }).length;
    const resolved = after.rows.filter((row) => was.get(row.key)?.state !== row.state).length;
    const verdict = await world.check([message.id]);
    const promises = new Promises();
    promises.hold(stale === 0, `${stale} stale writes`);
    promises.none(verdict, 'lost', 'doubled', 'miscounted');
    promises.hold(verdict.calls.length >= before.calls.length, 'calls vanished');
    return promises.result(verdict, {
      injected: `SIGSTOP for ${Math.round(frozenMs / 1000)} s (bulk), then SIGCONT`,
      people,
      recoverMs,
      notes: [`stale writes ${stale}`, `${resolved} doubts ended by the worker's own late word`, `${before.inDoubt} in doubt before SIGCONT`],
    });
  },
};
