import pg from 'pg';
import { expect, test } from 'vitest';
import { unpackRef } from '#domain/delivery/refs.ts';
import { DELIVERY_STATES, type MessageClass } from '#schemas/delivery.ts';
import { type CarrierCall, carriers } from '#testing/carriers.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { createEmptyDatabase, type TestDatabase } from '#testing/database.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { ANSWERED, fillDatabase, GROUPS, MESSAGES, PEOPLE, WITH_PHONE } from '#testing/filled-database.ts';
import { firstFoundation, migrationFolder } from '#testing/migration-folder.ts';
import { migrate } from './migrate.ts';
import { MIGRATIONS, readMigrations } from './migration-files.ts';
import { dumpSchema } from './schema-dump.ts';

const files = await readMigrations(MIGRATIONS);
const texts = (first: boolean, count: number): Record<string, string> =>
  Object.fromEntries(
    files.slice(0, count).map(({ name, text }) => [name, first && name === '0001_foundation.sql' ? firstFoundation(text) : text]),
  );

/** Every level that was ever released, each with the first text of 0001 and with the present one. A new file adds its own. */
const LEVELS = files.flatMap((file, i) =>
  [true, false].map((first) => ({ level: `${file.name}, ${first ? 'first' : 'present'} text of 0001`, first, count: i + 1 })),
);
/** The file that makes the place for deliveries. */
const PARTITIONS = 2;

async function on<T>(database: TestDatabase, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

interface Kept {
  readonly table: string;
  readonly columns: string;
  readonly rows: string;
}

/** All rows of all tables, in the columns that they have now or had `before`. */
async function allRows(client: pg.Client, before?: readonly Kept[]): Promise<Kept[]> {
  const { rows } = await client.query<{ table: string; columns: string }>(`
    SELECT c.relname AS table, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'schema_migrations' GROUP BY 1 ORDER BY 1`);
  const kept: Kept[] = [];
  for (const { table, columns } of before ?? rows) {
    const found = await client.query<{ rows: string | null }>(
      `SELECT string_agg(t::text, E'\\n' ORDER BY t::text) AS rows FROM (SELECT ${columns} FROM ${table}) t`,
    );
    kept.push({ table, columns, rows: found.rows[0]?.rows ?? '' });
  }
  return kept;
}

/** Sends until nothing is left to do: time passes whenever all lanes are idle. */
async function workOff(deps: TestDeps): Promise<CarrierCall[]> {
  const carrier = carriers();
  const bench = new LaneByHand(deps, deps.as(1));
  for (let round = 0; round < 8; round++) {
    for (const lane of ['life', 'ops', 'bulk'] satisfies MessageClass[]) await bench.work(carrier, lane);
    await bench.makeDue();
  }
  return carrier.calls;
}

const range = ([from, to]: readonly [number, number]): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const everybody = range([1, PEOPLE]);
/** Of a message that is under way: whose call is proven, and of whom nobody knows. */
const PROVEN = [...range(GROUPS.done), ...range(GROUPS.settled), ...range(GROUPS.settledToo)];
const DOUBTFUL = [...range(GROUPS.inFlight), ...range(GROUPS.doubtful)];
const without = (some: readonly number[]): number[] => everybody.filter((id) => !some.includes(id));

/** Who was called before is not called again; of whom nobody knows, what the class promises; everybody else exactly once. */
async function expectCalls(deps: TestDeps, called: boolean): Promise<void> {
  const calls = (await workOff(deps)).map((call) => {
    const ref = unpackRef(
      deps.tokens.open('receipt', call.ref) ?? deps.tokens.openLower('bounce', call.ref) ?? { a: 0, b: 0, extra: 0xffff },
    );
    if (!ref) throw new Error('a call carries a reference');
    return ref;
  });
  const of = (message: number, wave = 0): number[] =>
    calls
      .filter((call) => call.messageId === String(message) && call.wave === wave)
      .map((call) => Number(call.recipientId))
      .sort((a, b) => a - b);
  expect(of(MESSAGES.life)).toEqual(without(called ? PROVEN : []));
  expect(of(MESSAGES.ops)).toEqual(without(called ? PROVEN : []));
  expect(of(MESSAGES.bulk)).toEqual(without(called ? [...PROVEN, ...DOUBTFUL] : []));
  expect(of(MESSAGES.scheduled)).toEqual(everybody);
  expect(of(MESSAGES.stopped)).toEqual([]);
  expect(of(MESSAGES.life, 1)).toEqual(range([ANSWERED + 1, PEOPLE]));
  const ways = new Set(calls.filter((call) => call.wave === 0).map((call) => `${call.channel} ${Number(call.recipientId) <= WITH_PHONE}`));
  expect(ways).toEqual(new Set(['sms true', 'email false']));
}

async function expectMessages(client: pg.Client, called: boolean): Promise<void> {
  const messages = await client.query(
    `SELECT id::int, state, frozen_count = audience_count AND frozen_hash = audience_hash AS whole, completed_at IS NOT NULL AS over FROM messages ORDER BY id`,
  );
  expect(messages.rows).toEqual(
    Object.values(MESSAGES).map((id) => ({ id, state: id === MESSAGES.stopped ? 'stopped' : 'completed', whole: true, over: true })),
  );

  const sums = await client.query(
    `SELECT message_id::int, ${DELIVERY_STATES.map((state) => `sum(${state})::int AS ${state}`).join(', ')} FROM delivery_counts WHERE wave = 0 GROUP BY 1 ORDER BY 1`,
  );
  const none = Object.fromEntries(DELIVERY_STATES.map((state) => [state, 0]));
  const unresolved = called ? DOUBTFUL.length : 0;
  const accepted = called ? GROUPS.done[1] : 0;
  expect(sums.rows).toEqual([
    { ...none, message_id: MESSAGES.life, accepted: PEOPLE },
    { ...none, message_id: MESSAGES.ops, accepted: PEOPLE },
    { ...none, message_id: MESSAGES.bulk, accepted: PEOPLE - unresolved, unresolved },
    { ...none, message_id: MESSAGES.scheduled, accepted: PEOPLE },
    { ...none, message_id: MESSAGES.stopped, accepted, cancelled: PEOPLE - accepted },
  ]);
  const states = DELIVERY_STATES.map((state) => `('${state}', c.${state})`).join(', ');
  const miscounted = await client.query(`SELECT message_id, wave, channel, state, count(*) FROM deliveries GROUP BY 1, 2, 3, 4
    EXCEPT SELECT c.message_id, c.wave, c.channel, s.state::delivery_state, sum(s.n)
      FROM delivery_counts c CROSS JOIN LATERAL (VALUES ${states}) s(state, n) GROUP BY 1, 2, 3, 4`);
  expect(miscounted.rows).toEqual([]);
}

test.each(LEVELS)('$level: a filled database is upgraded amid a fan-out, and it goes on', async ({ first, count }) => {
  const database = await createEmptyDatabase();
  const called = count >= PARTITIONS;
  await migrate(database.url, { folder: migrationFolder(texts(first, count)) });
  const before = await on(database, async (client) => {
    await fillDatabase(client, called);
    return allRows(client);
  });
  expect(before.filter(({ rows }) => rows !== '').length).toBeGreaterThan(18);

  expect(await migrate(database.url)).toEqual(files.slice(count).map((file) => file.name));
  expect(await on(database, (client) => allRows(client, before))).toEqual(before);
  const fresh = await createEmptyDatabase();
  await migrate(fresh.url);
  expect(await on(database, dumpSchema)).toBe(await on(fresh, dumpSchema));
  await fresh.drop();

  const deps = await createTestDeps({}, 'muster_worker', database);
  try {
    await expectCalls(deps, called);
    await on(database, (client) => expectMessages(client, called));
  } finally {
    await deps.close();
  }
});
