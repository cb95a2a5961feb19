import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEmptyDatabase, openTestDatabase } from '#testing/database.ts';
import { firstFoundation, migrationFolder } from '#testing/migration-folder.ts';
import { withClient } from '#testing/with-client.ts';
import { migrate } from './migrate.ts';
import { MIGRATIONS, readMigrations } from './migration-files.ts';
import { dumpSchema } from './schema-dump.ts';

let database: Awaited<ReturnType<typeof openTestDatabase>>;
beforeAll(async () => {
  database = await openTestDatabase();
});
afterAll(() => database.drop());

async function inEmptyDatabase(work: (url: string) => Promise<void>): Promise<void> {
  const empty = await createEmptyDatabase();
  try {
    await work(empty.url);
  } finally {
    await empty.drop();
  }
}

test('a second run changes nothing', async () => {
  expect(await migrate(database.url)).toEqual([]);
});

test('five processes that start at once migrate once', async () => {
  await inEmptyDatabase(async (url) => {
    const done = await Promise.all(Array.from({ length: 5 }, () => migrate(url)));
    const applied = done.flat();
    expect(new Set(applied).size).toBe(applied.length);
    expect(applied.length).toBeGreaterThanOrEqual(2);
    expect(applied).toEqual([...applied].sort());
  });
});

test('a migration that fails leaves nothing of itself behind, and the next run goes on from there', async () => {
  await inEmptyDatabase((url) =>
    withClient(url, async (client) => {
      // The second migration makes this function too, and stops there.
      await client.query('CREATE FUNCTION message_tenant(p bigint) RETURNS text LANGUAGE sql AS $$ SELECT NULL $$');
      await expect(migrate(url)).rejects.toThrow(/message_tenant/);
      const { rows } = await client.query<{ name: string }>('SELECT name FROM schema_migrations');
      expect(rows).toHaveLength(1);
      expect((await client.query(`SELECT 1 FROM pg_proc WHERE proname = 'claim_batch'`)).rowCount).toBe(0);
      await client.query('DROP FUNCTION message_tenant(bigint)');
      expect((await migrate(url)).length).toBeGreaterThanOrEqual(1);
      expect((await client.query(`SELECT 1 FROM pg_proc WHERE proname = 'claim_batch'`)).rowCount).toBe(1);
    }),
  );
});

/** The schema, and of each column what a dump of it leaves out. */
async function catalogue(url: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(`
      SELECT a.attrelid::regclass::text AS relation, a.attnum, a.attname, a.attstorage, a.attcompression, a.attoptions, a.attacl::text,
        c.reloptions, c.relowner::regrole::text, c.relpersistence
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, 2`);
    return [await dumpSchema(client), rows];
  } finally {
    await client.end();
  }
}

test('the first text of 0001 made the very same database, which goes on', async () => {
  const files = await readMigrations(MIGRATIONS);
  const texts = Object.fromEntries(files.map(({ name, text }) => [name, name === '0001_foundation.sql' ? firstFoundation(text) : text]));
  const folder = migrationFolder(texts);
  // It is what was published, byte for byte: its hash is the one that migrate() knows besides the present one.
  const [present, first] = [files[0], (await readMigrations(folder))[0]];
  expect(present?.known).toEqual([present?.sha256, first?.sha256]);
  await inEmptyDatabase(async (url) => {
    expect(await migrate(url, { folder })).toEqual(files.map((file) => file.name));
    expect(await catalogue(url)).toEqual(await catalogue(database.url));
    expect(await migrate(url)).toEqual([]);
  });
});
