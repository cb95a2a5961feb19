import { setTimeout as delay } from 'node:timers/promises';
import { Promises, type Result, type Row, seeded, type Size } from '#testing/faults/row.ts';
import { type Child, kill, type World } from '#testing/faults/world.ts';
import { until } from '#testing/until.ts';

/** How many deliveries the worker had marked and not settled when it died; no others may be in doubt. */
const inFlightOf = (world: World, worker: Child): Promise<number> =>
  world.number(
    `SELECT count(*) AS n FROM deliveries d JOIN batches b ON b.id = d.batch_id WHERE d.state = 'attempting' AND b.claimed_by = $1 AND b.state = 'claimed'`,
    [worker.name],
  );

const claimedBy = (world: World, worker: Child): Promise<number> =>
  world.number(`SELECT count(*) AS n FROM batches WHERE state = 'claimed' AND claimed_by = $1`, [worker.name]);

/** One of the workers that are in the midst of calls, or any worker where none is. */
async function busyWorker(world: World, random: () => number): Promise<Child> {
  const busy: Child[] = [];
  for (const worker of world.workers) if ((await inFlightOf(world, worker)) > 0) busy.push(worker);
  const one = busy[Math.floor(random() * busy.length)] ?? world.workers[0];
  if (!one) throw new Error('no worker is left');
  return one;
}

async function run(world: World, { short, seed }: Size, messageClass: 'bulk' | 'life'): Promise<Result> {
  const random = seeded(seed);
  const people = short ? 3_000 : 10_000;
  const kills = short ? 3 : 20;
  await world.people(people);
  await world.start({ workers: 2 });
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
    const victim = await busyWorker(world, random);
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
  promises.none(verdict, 'lost', 'miscounted');
  promises.hold(verdict.unmarked === 0, `${verdict.unmarked} calls without a mark`);
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
  return promises.result(verdict, {
    injected: `SIGKILL x ${done} (${messageClass})`,
    people,
    recoverMs: slowest,
    notes: [`${inFlight} marked at the kills`, ...(messageClass === 'bulk' ? [`${never} of those in doubt had not been called`] : [])],
  });
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
