import { setTimeout as delay } from 'node:timers/promises';
import { Promises, type Result, type Row, seeded, type Size } from '#testing/faults/row.ts';
import { type Child, kill, until, type World } from '#testing/faults/world.ts';

/** What the worker had marked and not settled when it died: all that may be in doubt. */
const inFlightOf = (world: World, worker: Child): Promise<number> =>
  world.number(
    `SELECT count(*) AS n FROM deliveries d JOIN batches b ON b.id = d.batch_id WHERE d.state = 'attempting' AND b.claimed_by = $1 AND b.state = 'claimed'`,
    [worker.name],
  );

const claimedBy = (world: World, worker: Child): Promise<number> =>
  world.number(`SELECT count(*) AS n FROM batches WHERE state = 'claimed' AND claimed_by = $1`, [worker.name]);

async function run(world: World, { short, seed }: Size, messageClass: 'bulk' | 'life'): Promise<Result> {
  const random = seeded(seed);
  const people = short ? 3_000 : 10_000;
  const kills = short ? 3 : 20;
  await world.people(people);
  await world.startApi();
  await Promise.all([world.startWorker(), world.startWorker()]);
  world.simulator.control({ sms: { latencyMs: 20, latencyJitterMs: 30 } });
  const message = await world.launch({ class: messageClass });
  let inFlight = 0;
  let done = 0;
  let slowest = 0;
  const takenOver: Promise<void>[] = [];
  for (let i = 0; i < kills; i++) {
    // Only a worker in the midst of calls is worth killing.
    await until(
      async () =>
        (await Promise.all(world.workers.map((w) => inFlightOf(world, w)))).some((n) => n > 0) ||
        (await world.open([message.id], messageClass === 'life')) === 0,
      60_000,
      'nobody sends',
      10,
    );
    if ((await world.open([message.id], messageClass === 'life')) === 0) break;
    await delay(random() * 300);
    const busy = [];
    for (const worker of world.workers) if ((await inFlightOf(world, worker)) > 0) busy.push(worker);
    const victim = busy[Math.floor(random() * busy.length)] ?? world.workers[0];
    if (!victim) throw new Error('no worker is left');
    await kill(victim);
    done += 1;
    inFlight += await inFlightOf(world, victim);
    takenOver.push(
      until(async () => (await claimedBy(world, victim)) === 0, 60_000, 'the batches of a killed worker stay claimed', 50).then(
        (ms) => void (slowest = Math.max(slowest, ms)),
      ),
    );
    world.workers.splice(world.workers.indexOf(victim), 1);
    await world.startWorker();
  }
  await Promise.all(takenOver);
  await world.settled([message.id], { doubt: messageClass === 'life' || !short, timeoutMs: 240_000 });
  const verdict = await world.check([message.id]);
  const promises = new Promises();
  promises.hold(verdict.lost === 0, `lost ${verdict.lost}`);
  promises.hold(verdict.unmarked === 0, `${verdict.unmarked} calls without a mark`);
  promises.hold(verdict.miscounted === 0, `counters differ from rows by ${verdict.miscounted}`);
  promises.hold(slowest <= 15_000, `taken over only after ${Math.round(slowest)} ms`);
  if (messageClass === 'bulk') promises.hold(verdict.doubled === 0, `doubled ${verdict.doubled}`);
  else {
    promises.hold(verdict.doubled <= inFlight, `doubled ${verdict.doubled}, in flight at the kills ${inFlight}`);
    promises.hold(verdict.states.unresolved === 0, 'a life delivery ended unresolved');
    promises.hold(verdict.states.failed === 0, `${verdict.states.failed} life deliveries given up`);
  }
  const never = verdict.rows
    .filter((row) => row.state === 'unresolved' || row.state === 'unknown')
    .filter((row) => !verdict.calls.some((call) => call.key === row.key && call.taken)).length;
  return {
    injected: `SIGKILL x ${done} (${messageClass})`,
    people,
    lost: verdict.lost,
    doubled: verdict.doubled,
    inDoubt: verdict.inDoubt,
    recoverMs: slowest,
    notes: [`${inFlight} marked at the kills`, ...(messageClass === 'bulk' ? [`${never} of those in doubt had not been called`] : [])],
    broken: promises.broken,
  };
}

export const workerKillBulk: Row = {
  name: 'worker-kill-bulk',
  about: 'workers killed while they send a campaign',
  run: (world, size) => run(world, size, 'bulk'),
};
export const workerKillLife: Row = {
  name: 'worker-kill-life',
  about: 'workers killed while they send a life message',
  run: (world, size) => run(world, size, 'life'),
};
