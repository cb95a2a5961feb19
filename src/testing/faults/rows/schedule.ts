import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Promises, type Row } from '#testing/faults/row.ts';
import { until } from '#testing/until.ts';

const STARTED_MS = 3_000;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Every worker sweeps, so every worker is a scheduler, and yet each start must happen once. */
export const schedulers: Row = {
  name: 'schedulers',
  about: 'many scheduled launches, five schedulers',
  async run(world, { short }) {
    const count = short ? 50 : 1_000;
    const workers = short ? 3 : 5;
    await world.people(1);
    await world.start({ workers: workers });
    const startAt = Date.now() + (short ? 4_000 : 45_000);
    const ids: string[] = [];
    for (let n = 0; n < count; n += 10)
      ids.push(
        ...(
          await Promise.all(
            Array.from({ length: Math.min(10, count - n) }, () =>
              world.launch({ class: 'ops', startAt: new Date(startAt).toISOString(), text: { en: 'On the hour' } }),
            ),
          )
        ).map(({ id }) => id),
      );
    const late = Date.now() > startAt;
    // This polls seldom, and asks the messages alone, since looking at the deliveries of a thousand messages takes a tenth of
    // a core.
    await until(
      async () => (await world.number(`SELECT count(*) AS n FROM messages WHERE state IN ('scheduled', 'live')`)) === 0,
      120_000,
      'not all done',
      500,
    );
    await world.settled(ids, { timeoutMs: 240_000 });
    const verdict = await world.check(ids);
    const launches = await world.number(`SELECT count(*) AS n FROM audit_log WHERE action = 'message.launch' AND (detail ->> 'scheduled')::boolean`);
    const early = verdict.calls.filter((call) => call.at < startAt).length;
    const promises = new Promises();
    promises.hold(!late, 'the messages were not written in time: the row proves nothing');
    promises.hold(launches === count, `${launches} launches of ${count}`);
    promises.hold(verdict.calls.length === count, `${verdict.calls.length} calls for ${count} messages`);
    promises.none(verdict, 'lost', 'doubled');
    promises.hold(early === 0, `${early} calls before the start`);
    const last = Math.max(...verdict.calls.map((call) => call.at)) - startAt;
    const after = (column: string, table: string) => world.number(`SELECT extract(epoch FROM max(${column})) * 1000 - $1 AS n FROM ${table}`, [startAt]);
    const [live, planned] = [await after('launched_at', 'messages'), await after('planned_at', 'waves')];
    promises.hold(live <= STARTED_MS, `the last launch began ${live} ms after its time`);
    return promises.result(verdict, {
      injected: `${workers} schedulers, ${count} launches`,
      people: count,
      recoverMs: last,
      notes: [
        `launched ${launches}, called ${verdict.calls.length}, early ${early}; after the start: all live ${seconds(live)}, all planned ${seconds(planned)}, last call ${seconds(last)}`,
      ],
    });
  },
};

const FAKETIME = ['/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1'].find((path) =>
  existsSync(path),
);

/**
 * One worker's clock is an hour ahead, another's an hour behind, which must not matter: leases, expiry and schedules go by
 * the database's clock.
 */
export const clockSkew: Row = {
  name: 'clock-skew',
  about: 'workers whose clocks are an hour off',
  async run(world, { short }) {
    if (!FAKETIME) throw new Error('libfaketime is not installed (Debian: apt-get install faketime)');
    const people = short ? 1_000 : 5_000;
    await world.people(people);
    await world.startApi();
    const skewed = (offset: string) =>
      world.startWorker({ LD_PRELOAD: FAKETIME, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' });
    await Promise.all([skewed('+1h'), skewed('-1h')]);
    world.simulator.control({ sms: { latencyMs: 20, latencyJitterMs: 40 } });
    const startAt = Date.now() + 5_000;
    const scheduled = await world.launch({ class: 'ops', startAt: new Date(startAt).toISOString(), text: { en: 'At its time' } });
    const bulk = await world.launch({ class: 'bulk', expiresAt: new Date(Date.now() + 30 * 60_000).toISOString(), text: { en: 'Valid for half an hour' } });
    const life = await world.launch({ class: 'life', expiresAt: new Date(Date.now() + 30 * 60_000).toISOString(), text: { en: 'Life' } });
    const ids = [scheduled.id, bulk.id, life.id];
    const started = Date.now();
    await until(() => world.calls().some((call) => call.messageId === scheduled.id), 30_000, 'the scheduled message does not start', 50);
    await world.settled(ids);
    await delay(1_000);
    const verdict = await world.check(ids);
    const expired = await world.number(`SELECT count(*) AS n FROM messages WHERE id = ANY ($1::bigint[]) AND state = 'expired'`, [ids]);
    const first = Math.min(...verdict.calls.filter((call) => call.messageId === scheduled.id).map((call) => call.at)) - startAt;
    const times = await world.pool.query<{ first: Date; last: Date; launched: Date }>(
      'SELECT first_call_at AS first, last_call_at AS last, launched_at AS launched FROM messages WHERE id = ANY ($1::bigint[])',
      [ids],
    );
    const wrongTimes = times.rows.filter(
      ({ first: a, last }) => Math.abs(a.getTime() - started) > 600_000 || Math.abs(last.getTime() - started) > 600_000,
    ).length;
    const promises = new Promises();
    promises.none(verdict, 'lost', 'doubled', 'inDoubt');
    promises.hold(expired === 0, `${expired} messages expired by a wrong clock`);
    promises.hold(first >= 0 && first <= 5_000, `the scheduled message began ${first} ms after its time`);
    return promises.result(verdict, {
      injected: 'one worker +1 h, one -1 h',
      notes: [`scheduled start ${first} ms after its time`, `${wrongTimes} of ${ids.length} messages show call times of the wrong clock`],
    });
  },
};
