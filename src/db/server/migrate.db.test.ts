import { createHash, randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '#testing/database.ts';
import { migrate } from './migrate.ts';

let database: TestDatabase;
let owner: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  owner = new pg.Client({ connectionString: database.url });
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await database.drop();
});

async function inEmptyDatabase(work: (url: string) => Promise<void>): Promise<void> {
  const server = new pg.Client({ connectionString: inject('ownerUrl') });
  await server.connect();
  const name = `m_${randomUUID().replaceAll('-', '')}`;
  await server.query(`CREATE DATABASE ${name}`);
  const url = new URL(inject('ownerUrl'));
  url.pathname = `/${name}`;
  try {
    await work(url.href);
  } finally {
    await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await server.end();
  }
}

test('a second run changes nothing', async () => {
  expect(await migrate(database.url)).toEqual([]);
});

test('an applied migration that was changed afterwards is refused, and nothing is applied', async () => {
  const { rows } = await owner.query<{ name: string; sha256: string }>('SELECT name, sha256 FROM schema_migrations ORDER BY name');
  expect(rows.length).toBeGreaterThanOrEqual(2);
  const [first] = rows;
  if (!first) throw new Error('no migration');
  const other = createHash('sha256').update('something else').digest('hex');
  await owner.query('UPDATE schema_migrations SET sha256 = $1 WHERE name = $2', [other, first.name]);
  await expect(migrate(database.url)).rejects.toThrow(`migration ${first.name} was changed after it was applied`);
  await owner.query('UPDATE schema_migrations SET sha256 = $1 WHERE name = $2', [first.sha256, first.name]);
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
  await inEmptyDatabase(async (url) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    // The second migration makes this function too, and stops there.
    await client.query('CREATE FUNCTION message_tenant(p bigint) RETURNS text LANGUAGE sql AS $$ SELECT NULL $$');
    await expect(migrate(url)).rejects.toThrow(/message_tenant/);
    const { rows } = await client.query<{ name: string }>('SELECT name FROM schema_migrations');
    expect(rows).toHaveLength(1);
    expect((await client.query(`SELECT 1 FROM pg_proc WHERE proname = 'claim_batch'`)).rowCount).toBe(0);
    await client.query('DROP FUNCTION message_tenant(bigint)');
    expect((await migrate(url)).length).toBeGreaterThanOrEqual(1);
    expect((await client.query(`SELECT 1 FROM pg_proc WHERE proname = 'claim_batch'`)).rowCount).toBe(1);
    await client.end();
  });
});
