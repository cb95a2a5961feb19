import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createEmptyDatabase, type TestDatabase } from '#testing/database.ts';
import { migrationFolder } from '#testing/migration-folder.ts';
import { migrate } from './migrate.ts';

const TABLE = {
  '0001_boats.sql': 'CREATE TABLE boats (id integer NOT NULL, name text);\nINSERT INTO boats SELECT n FROM generate_series(1, 1000) n;\n',
};
const INDEX = '0002_boats_by_id.sql';
const BUILD =
  '-- Boats are found by their number.\n-- outside a transaction\nCREATE UNIQUE INDEX CONCURRENTLY boats_id\n  ON boats (id);\n';

let database: TestDatabase;
let owner: pg.Client;
let clients: pg.Client[];
const session = async (): Promise<pg.Client> => {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  clients.push(client);
  return client;
};
beforeEach(async () => {
  database = await createEmptyDatabase();
  clients = [];
  owner = await session();
});
afterEach(async () => {
  for (const client of clients) await client.end();
  await database.drop();
});

const applied = async (): Promise<string[]> =>
  (await owner.query<{ name: string }>('SELECT name FROM schema_migrations ORDER BY name')).rows.map((row) => row.name);
/** Whether the index is whole; undefined where there is none. */
const index = async (): Promise<boolean | undefined> =>
  (await owner.query<{ indisvalid: boolean }>(`SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('boats_id')`)).rows[0]
    ?.indisvalid;
/** Resolves with its process once the migration waits for a lock. */
async function waiting(): Promise<number> {
  let pid: number | undefined;
  const look = async (): Promise<number | undefined> => {
    const { rows } = await owner.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE application_name = 'muster-migrate' AND datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return (pid = rows[0]?.pid);
  };
  await expect.poll(look, { timeout: 10_000, interval: 5 }).toBeDefined();
  return pid ?? 0;
}

describe('an index outside a transaction', () => {
  const folder = migrationFolder({ ...TABLE, [INDEX]: BUILD });

  /** One who wrote and has not committed yet: the build waits for him. */
  async function beside(): Promise<pg.Client> {
    await migrate(database.url, { folder: migrationFolder(TABLE) });
    const writer = await session();
    await writer.query('BEGIN; UPDATE boats SET id = id WHERE id = 1');
    return writer;
  }

  test('is built while others write, and none of them waits for it', async () => {
    const writer = await beside();
    const building = migrate(database.url, { folder });
    await waiting();
    await owner.query(
      `SET statement_timeout = '2s'; INSERT INTO boats VALUES (1001, 'Ann'); UPDATE boats SET name = 'Bea' WHERE id = 2; RESET statement_timeout`,
    );
    await writer.query('COMMIT');
    expect(await building).toEqual([INDEX]);
    expect(await index()).toBe(true);
    expect(await migrate(database.url, { folder })).toEqual([]);
  });

  test('that was cut off is there and invalid; the next run builds it', async () => {
    const writer = await beside();
    const building = migrate(database.url, { folder });
    const end = building.then(String, String);
    await owner.query('SELECT pg_terminate_backend($1)', [await waiting()]);
    expect(await end).toMatch(/terminating connection|Connection terminated/);
    expect(await index()).toBe(false);
    expect(await applied()).toEqual(Object.keys(TABLE));
    await writer.query('COMMIT');
    expect(await migrate(database.url, { folder })).toEqual([INDEX]);
    expect(await index()).toBe(true);
  });

  test('that was built and not written down is built again', async () => {
    expect(await migrate(database.url, { folder })).toEqual([...Object.keys(TABLE), INDEX]);
    await owner.query('DELETE FROM schema_migrations WHERE name = $1', [INDEX]);
    expect(await migrate(database.url, { folder })).toEqual([INDEX]);
    expect(await index()).toBe(true);
  });

  test('that cannot be built leaves nothing that would refuse what others write', async () => {
    await migrate(database.url, { folder: migrationFolder(TABLE) });
    await owner.query('INSERT INTO boats VALUES (1)');
    await expect(migrate(database.url, { folder })).rejects.toThrow(/could not create unique index/);
    expect(await index()).toBeUndefined();
    expect(await applied()).toEqual(Object.keys(TABLE));
    await owner.query('DELETE FROM boats WHERE ctid = (SELECT max(ctid) FROM boats)');
    expect(await migrate(database.url, { folder })).toEqual([INDEX]);
  });

  test('five processes that start at once build it once', async () => {
    const done = await Promise.all(Array.from({ length: 5 }, () => migrate(database.url, { folder })));
    expect(done.flat()).toEqual([...Object.keys(TABLE), INDEX]);
    expect(await index()).toBe(true);
  });

  test.each([
    ['two statements', `${BUILD}CREATE INDEX CONCURRENTLY boats_name ON boats (name);\n`],
    ['another statement', '-- outside a transaction\nUPDATE boats SET id = id + 1;\n'],
    ['an index without a name', '-- outside a transaction\nCREATE INDEX CONCURRENTLY ON boats (id);\n'],
  ])('%s: refused, since it could not be begun again', async (_, text) => {
    await expect(migrate(database.url, { folder: migrationFolder({ ...TABLE, [INDEX]: text }) })).rejects.toThrow(
      `migration ${INDEX}: outside a transaction`,
    );
    expect(await applied()).toEqual(Object.keys(TABLE));
    expect(await index()).toBeUndefined();
  });
});

describe('a table that somebody else holds', () => {
  const COLUMN = '0002_boats_colour.sql';
  const folder = migrationFolder({ ...TABLE, [COLUMN]: 'CREATE TABLE colours (name text);\nALTER TABLE boats ADD COLUMN colour text;\n' });

  async function held(): Promise<pg.Client> {
    await migrate(database.url, { folder: migrationFolder(TABLE) });
    const reader = await session();
    await reader.query('BEGIN; SELECT FROM boats LIMIT 1');
    return reader;
  }

  test('is waited for in short turns: others go on in between, and then it is done', async () => {
    const reader = await held();
    const changing = migrate(database.url, { folder, patience: { lockMs: 300, pauseMs: 300, tries: 100 } });
    await waiting();
    // Behind a migration that waits on, this would never end.
    await owner.query(`SET statement_timeout = '5s'; SELECT count(*) FROM boats; RESET statement_timeout`);
    await waiting();
    await reader.query('COMMIT');
    expect(await changing).toEqual([COLUMN]);
    expect((await owner.query('SELECT colour FROM boats LIMIT 1')).rowCount).toBe(1);
  });

  test('is not waited for without end, and nothing is left of what was begun', async () => {
    const reader = await held();
    await expect(migrate(database.url, { folder, patience: { lockMs: 50, pauseMs: 10, tries: 3 } })).rejects.toThrow(
      `migration ${COLUMN} did not get its locks in 3 tries (canceling statement due to lock timeout); nothing of it was applied: run it again`,
    );
    expect(await applied()).toEqual(Object.keys(TABLE));
    expect((await owner.query<{ there: string | null }>(`SELECT to_regclass('colours') AS there`)).rows).toEqual([{ there: null }]);
    await reader.query('COMMIT');
    expect(await migrate(database.url, { folder })).toEqual([COLUMN]);
  });
});
