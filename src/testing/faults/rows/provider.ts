import { setTimeout as delay } from 'node:timers/promises';
import type { BehaviourChange } from '#simulator/control.ts';
import { Promises, type Result, type Row, type Size } from '#testing/faults/row.ts';
import type { Verdict } from '#testing/faults/check.ts';
import { end, type World } from '#testing/faults/world.ts';

/** Taken and never answered: after the adapter's deadline nobody can say. Bulk lists it, life calls again. */
async function silent(world: World, { short }: Size, messageClass: 'bulk' | 'life'): Promise<Result> {
  const people = short ? 200 : 2_000;
  await world.people(people);
  await world.startApi();
  await world.startWorker();
  world.simulator.control({ sms: { silentShare: 0.05 } });
  const message = await world.launch({ class: messageClass });
  // The carrier's first callback would end every doubt; here nobody is there to take it.
  for (const api of world.apis) await end(api);
  await world.settled([message.id], { doubt: messageClass === 'life' || !short, timeoutMs: 300_000 });
  const verdict = await world.check([message.id]);
  const resends = verdict.rows.reduce((sum, row) => sum + Math.max(0, row.attempts - 1), 0);
  const promises = new Promises();
  promises.hold(verdict.lost === 0, `lost ${verdict.lost}`);
  promises.hold(verdict.miscounted === 0, `counters differ from rows by ${verdict.miscounted}`);
  if (messageClass === 'bulk') {
    promises.hold(verdict.doubled === 0, `doubled ${verdict.doubled}`);
    promises.hold(verdict.inDoubt > 0, 'nothing is listed as in doubt');
  } else {
    promises.hold(verdict.doubled === resends, `doubled ${verdict.doubled}, resends ${resends}`);
    promises.hold(verdict.inDoubt === 0 && verdict.states.failed === 0, `${verdict.inDoubt} in doubt, ${verdict.states.failed} given up`);
  }
  return {
    injected: `5 % taken and never answered (${messageClass})`,
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

/** A life message, when it was posted, and how long it took until a carrier had each of its people. */
interface Launched {
  readonly id: string;
  readonly at: number;
}

const EVERY_MS = 500;

/** A small life message every half second, whatever became of those before. */
async function lifeFor(world: World, ms: number, input: Record<string, unknown>): Promise<Launched[]> {
  const launched: Launched[] = [];
  for (const began = Date.now(); Date.now() - began < ms; ) {
    const at = Date.now();
    launched.push({ id: (await world.launch({ class: 'life', ...input })).id, at });
    await delay(Math.max(0, at + EVERY_MS - Date.now()));
  }
  return launched;
}

/** Milliseconds from the post of each message to each person's first call that was taken, ascending. */
function handedOver(calls: Verdict['calls'], launched: readonly Launched[]): number[] {
  const first = new Map<string, number>();
  for (const call of calls) if (call.taken && !first.has(call.key)) first.set(call.key, call.at);
  const postedAt = new Map(launched.map(({ id, at }) => [id, at]));
  return [...first]
    .flatMap(([key, at]) => at - (postedAt.get(key.split('.', 1)[0] ?? '') ?? Number.NaN))
    .filter((ms) => !Number.isNaN(ms))
    .toSorted((a, b) => a - b);
}

const p99 = (times: readonly number[]): number => times[Math.floor(times.length * 0.99)] ?? 0;
/** Of 10,000: what one worker has marked when the first outcomes come, and a few probes. A breaker that does not open loses them all. */
const DOUBT_BOUND = 1_000;

export interface Trouble {
  readonly injected: string;
  readonly begin: (world: World) => unknown;
  readonly end?: (world: World) => unknown;
  /** Of what goes by the channel in trouble. */
  readonly messageClass?: 'bulk' | 'life';
  readonly channel?: 'sms' | 'push';
  /** Settings of the worker. */
  readonly worker?: Record<string, string>;
  /** People of a large message in the short form; 600 take two seconds. */
  readonly shortPeople?: number;
  /** Seconds of trouble, and half of it before and after. */
  readonly seconds?: number;
}

export const carriers = (change: BehaviourChange) => (world: World) => world.simulator.control(change);

/** One channel is in trouble under a large message: nothing is lost there, and life on another channel does not feel it. */
export async function trouble(world: World, { short }: Size, options: Trouble): Promise<Result> {
  const { injected, begin, end: over = carriers(CALM), messageClass = 'bulk', channel = 'sms', worker, seconds = 60, shortPeople = 600 } = options;
  const people = short ? shortPeople : 10_000;
  await (channel === 'push' ? browsers(world, people, 'many') : world.people(people, { tag: 'many' }));
  await world.people(20, { first: 500_000, tag: 'mail', mail: true });
  await world.startApi();
  await world.startWorker(worker);
  const byMail = { audience: { tags: ['mail'] }, channels: ['email'] };
  // 100 ms an answer: the large message runs in all three parts, so that the difference is the fault's alone.
  world.simulator.control(CALM);
  const warm = await lifeFor(world, 2_000, byMail);
  const large = { class: messageClass, audience: { tags: ['many'] }, channels: [channel] };
  const first = await world.launch(large);
  const before = await lifeFor(world, short ? 3_000 : seconds * 500, byMail);
  await begin(world);
  const second = await world.launch(large);
  const during = await lifeFor(world, short ? 3_000 : seconds * 1_000, byMail);
  await over(world);
  const endedAt = Date.now();
  const after = await lifeFor(world, short ? 3_000 : seconds * 500, byMail);
  const ids = [first.id, second.id, ...[...warm, ...before, ...during, ...after].map(({ id }) => id)];
  await world.settled(ids, { doubt: messageClass === 'life', timeoutMs: 300_000 });
  const verdict = await world.check(ids);
  const promises = new Promises();
  const resends = messageClass === 'life' ? verdict.rows.reduce((sum, row) => sum + Math.max(0, row.attempts - 1), 0) : 0;
  promises.hold(verdict.lost === 0, `lost ${verdict.lost}`);
  promises.hold(verdict.doubled <= resends, `doubled ${verdict.doubled}`);
  promises.hold(verdict.states.failed === 0, `${verdict.states.failed} given up`);
  promises.hold(verdict.miscounted === 0, `counters differ from rows by ${verdict.miscounted}`);
  promises.hold(verdict.inDoubt <= DOUBT_BOUND, `${verdict.inDoubt} of ${people} in doubt`);
  const [was, is] = [p99(handedOver(verdict.calls, [...before, ...after])), p99(handedOver(verdict.calls, during))];
  // A tenth of a few milliseconds is noise on a shared machine: at least 50 ms are allowed.
  if (!short) promises.hold(is <= was * 1.1 + 50, `p99 of the life lane went from ${was} to ${is} ms`);
  const goesOn = verdict.calls.find((call) => call.channel === channel && call.taken && call.at > endedAt);
  return {
    injected,
    people: verdict.people,
    lost: verdict.lost,
    doubled: verdict.doubled,
    inDoubt: verdict.inDoubt,
    recoverMs: goesOn ? goesOn.at - endedAt : null,
    notes: [`life lane p99 ${was} ms around it, ${is} ms during`],
    broken: promises.broken,
  };
}

/** People with a browser each and no other address. */
async function browsers(world: World, count: number, tag: string): Promise<void> {
  await world.pool.query(`INSERT INTO senders (tenant_id, channel, name, address) VALUES ($1, 'push', 'Push', 'push')`, [world.tenantId]);
  const subscriptions = await world.simulator.subscriptions(count);
  await world.pool.query(
    `WITH people AS (
       INSERT INTO recipients (tenant_id, name, tags, consent, push_count) SELECT $1, 'Browser ' || n, ARRAY[$2], '{life,ops,bulk}', 1 FROM generate_series(1, $3::int) n RETURNING id
     ), numbered AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM people)
     INSERT INTO push_subscriptions (tenant_id, recipient_id, endpoint, p256dh, auth)
     SELECT $1, p.id, s.endpoint, s.p256dh, s.auth FROM numbered p
     JOIN unnest($4::text[], $5::text[], $6::text[]) WITH ORDINALITY s(endpoint, p256dh, auth, n) ON s.n = p.n`,
    [world.tenantId, tag, count, subscriptions.map((s) => s.endpoint), subscriptions.map((s) => s.keys.p256dh), subscriptions.map((s) => s.keys.auth)],
  );
}

const CALM_CHANNEL = { latencyMs: 100, perSecond: null, errorShare: 0, silentShare: 0 };
const CALM: BehaviourChange = { sms: CALM_CHANNEL, push: CALM_CHANNEL };
const minute = ({ short }: Size): string => (short ? '3 s' : '1 min');

export const providerThrottles: Row = {
  name: 'provider-429',
  about: 'the carrier answers 429 for a minute',
  run: (world, size) => trouble(world, size, { injected: `429 to all but 5 a second, ${minute(size)}`, begin: carriers({ sms: { perSecond: 5 } }) }),
};
export const providerErrors: Row = {
  name: 'provider-503',
  about: 'the carrier answers 503 for a minute',
  run: (world, size) => trouble(world, size, { injected: `503 to every call, ${minute(size)}`, begin: carriers({ sms: { errorShare: 1 } }) }),
};
export const providerSlow: Row = {
  name: 'provider-slow',
  about: 'the carrier takes 30 s for each answer',
  run: (world, size) =>
    trouble(world, size, {
      injected: size.short ? 'every answer takes 3 s, for 3 s' : 'every answer takes 30 s, for 1 min',
      begin: carriers({ sms: { latencyMs: size.short ? 3_000 : 30_000 } }),
    }),
};

export const providerSlowLane: Row = {
  name: 'provider-slow-lane',
  about: 'the carrier takes 30 s for each answer to a life message',
  run: (world, size) =>
    trouble(world, size, {
      injected: size.short ? 'every SMS of the same lane takes 3 s, for 3 s' : 'every SMS of the same lane takes 30 s, for 1 min',
      begin: carriers({ sms: { latencyMs: size.short ? 3_000 : 30_000 } }),
      messageClass: 'life',
    }),
};

/** The doubt's window, a sweep, and the calls themselves. */
const LATEST_MS = 15_000;

/** The account that everything goes by dies: life goes on by the second one, a campaign waits for the first. */
async function dies(world: World, { short }: Size): Promise<Result> {
  const people = short ? 600 : 5_000;
  await world.people(people, { tag: 'many' });
  await world.people(20, { first: 500_000, tag: 'crew' });
  await world.pool.query(`INSERT INTO senders (tenant_id, channel, name, address, account) VALUES ($1, 'sms', 'SMS, second account', '+12025550101', 2)`, [
    world.tenantId,
  ]);
  await world.startApi();
  await world.startWorker();
  const bySms = { audience: { tags: ['crew'] }, channels: ['sms'] };
  world.simulator.control({ sms: { latencyMs: 100 }, second: { sms: { latencyMs: 100 } } });
  const campaign = await world.launch({ class: 'bulk', audience: { tags: ['many'] } });
  const before = await lifeFor(world, short ? 2_000 : 10_000, bySms);
  world.simulator.control({ sms: { errorShare: 1 } });
  const diedAt = Date.now();
  const during = await lifeFor(world, short ? 6_000 : 60_000, bySms);
  world.simulator.control({ sms: { errorShare: 0 } });
  const backAt = Date.now();
  const lives = [...before, ...during].map(({ id }) => id);
  await world.settled(lives, { doubt: true });
  await world.settled([campaign.id], { timeoutMs: 300_000 });
  const verdict = await world.check([campaign.id, ...lives]);
  const promises = new Promises();
  promises.hold(verdict.lost === 0, `lost ${verdict.lost}`);
  promises.hold(verdict.doubled === 0, `doubled ${verdict.doubled}`);
  promises.hold(verdict.states.failed === 0, `${verdict.states.failed} given up`);
  promises.hold(verdict.miscounted === 0, `counters differ from rows by ${verdict.miscounted}`);
  promises.hold(verdict.inDoubt <= DOUBT_BOUND, `${verdict.inDoubt} of ${people} in doubt`);
  const all = handedOver(verdict.calls, [...before, ...during]);
  promises.hold(all.length === lives.length * 20, `${all.length} of ${lives.length * 20} people had their life message`);
  promises.hold((all.at(-1) ?? 0) <= LATEST_MS, `a life message took ${all.at(-1)} ms`);
  const second = verdict.calls.filter((call) => call.channel === 'sms' && call.account === 2 && call.taken);
  const dead = verdict.calls.filter((call) => call.account === 1 && call.at >= diedAt && call.at < backAt);
  promises.hold(second.length > 0 && second.every((call) => lives.includes(call.messageId)), 'the campaign went by the second account');
  const opened = (second[0]?.at ?? diedAt) - diedAt;
  // Those who were just being called when it died belong to neither.
  const calm = before.filter(({ at }) => at < diedAt - 2_000);
  const bySecond = during.filter(({ at }) => at > diedAt + opened);
  const [was, is] = [p99(handedOver(verdict.calls, calm)), p99(handedOver(verdict.calls, bySecond))];
  const goesOn = verdict.calls.find((call) => call.account === 1 && call.taken && call.at > backAt);
  return {
    injected: `the first SMS account answers 503, ${short ? '6 s' : '1 min'}`,
    people: verdict.people,
    lost: verdict.lost,
    doubled: verdict.doubled,
    inDoubt: verdict.inDoubt,
    recoverMs: goesOn ? goesOn.at - backAt : null,
    notes: [
      `life by the second account after ${opened} ms, p99 ${was} ms before, ${is} ms from then on, latest ${all.at(-1)} ms`,
      `${dead.length} calls to the dead account`,
    ],
    broken: promises.broken,
  };
}

export const providerDies: Row = {
  name: 'provider-dies',
  about: 'one of two SMS accounts dies: life goes by the other',
  run: dies,
};
