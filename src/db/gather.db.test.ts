import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { withClient } from '#testing/with-client.ts';
import { Gather } from './gather.ts';
import { prepared } from './prepared.ts';

let deps: TestDeps;
let tenantId: number;
beforeAll(async () => {
  deps = await createTestDeps();
  ({ tenantId } = await deps.tenant());
});
afterAll(() => deps.close());

/** Gives the transaction that it ran in, and 10 / n, which fails for 0. */
const tenth = prepared<{ n: number }, { xid: string; value: number; tenant: string }>(
  'tenth',
  (at) => sql`SELECT pg_current_xact_id()::text AS xid, 10 / ${at('n')}::int AS value, current_setting('app.tenant') AS tenant`,
);

test('what is asked at once shares a transaction, one piece of each key', async () => {
  const gather = new Gather(deps.db);
  const asked = ['3', '1', '2', '1'].map((key) => gather.of(key).atOnce(tenantId, (tx) => tenth(tx, { n: Number(key) })));
  const [three, one, two, again] = (await Promise.all(asked)).map((rows) => rows[0]);
  expect([three?.value, one?.value, two?.value, again?.value]).toEqual([3, 10, 5, 10]);
  expect(new Set([three?.xid, one?.xid, two?.xid]).size).toBe(1);
  expect(again?.xid).not.toBe(one?.xid);
});

test('one that cannot be written fails alone', async () => {
  const gather = new Gather(deps.db);
  const ends = await Promise.allSettled([1, 0, 2].map((n) => gather.of(String(n)).atOnce(tenantId, (tx) => tenth(tx, { n }))));
  expect(ends.map((end) => (end.status === 'fulfilled' ? end.value[0]?.value : (end.reason as Error).message))).toEqual([
    10,
    'division by zero',
    5,
  ]);
});

test('tenants never share one', async () => {
  const other = await deps.tenant();
  const gather = new Gather(deps.db);
  const at = (id: number, key: string) => gather.of(key).atOnce(id, (tx) => tenth(tx, { n: 1 }));
  const rows = (await Promise.all([at(tenantId, '1'), at(other.tenantId, '2'), at(tenantId, '3')])).map(([row]) => row);
  expect(rows[0]?.xid).toBe(rows[2]?.xid);
  expect(rows[1]).toMatchObject({ tenant: String(other.tenantId) });
  expect(rows[1]?.xid).not.toBe(rows[0]?.xid);
});

test('a connection that is lost is lost for all of them: nobody knows what was written', async () => {
  const gather = new Gather(deps.db);
  const wait = prepared<object, unknown>('wait_long', () => sql`SELECT pg_sleep(20)`);
  const ends = Promise.allSettled([
    gather.of('1').atOnce(tenantId, (tx) => wait(tx, {})),
    gather.of('2').atOnce(tenantId, (tx) => tenth(tx, { n: 1 })),
  ]);
  const terminate = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`;
  await withClient(deps.databaseUrl, (owner) => expect.poll(async () => (await owner.query(terminate)).rowCount).toBe(1));
  expect((await ends).map((one) => one.status)).toEqual(['rejected', 'rejected']);
});
