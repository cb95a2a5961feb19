import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { addChannels } from './add-channels.ts';
import { type MigrationFile, MIGRATIONS, readMigrations } from './migration-files.ts';
import { refuseOtherVersion } from './other-version.ts';

export interface MigrateOptions {
  /** Folder of the numbered files; this version's own unless told. */
  readonly folder?: URL;
  /** Where `npm run up` keeps the database, which a refusal then names. */
  readonly dataFolder?: string;
  readonly patience?: Patience;
}

/** How a file waits for locks that others hold. */
export interface Patience {
  readonly lockMs: number;
  readonly pauseMs: number;
  readonly tries: number;
}

/**
 * Whoever wants a table after a migration that waits for it waits behind it, so that wait is short: longer than
 * `deadlock_timeout` (1 s), at which the server ends an autovacuum that is in the way, and far below the 10 s at which our
 * own statements give up. In the pause the others go on. Together 3.3 minutes: our own transactions end within one.
 */
const PATIENCE: Patience = { lockMs: 2_000, pauseMs: 3_000, tries: 40 };

/** lock_not_available, deadlock_detected */
const LOCKED = new Set(['55P03', '40P01']);

/**
 * Applies the numbered SQL files in order under one advisory lock, so that any number of processes may start at once: each
 * in a transaction of its own, or outside one where it says so. Forward only.
 *
 * @returns names of the files applied now
 * @throws ConfigError when the database has migrations, or texts of them, that this version does not know; it is untouched then
 */
export async function migrate(
  url: string,
  { folder = MIGRATIONS, dataFolder, patience = PATIENCE }: MigrateOptions = {},
): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'muster-migrate' });
  // Lost between two statements: the next one fails with it.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await checkServer(client);
    await takeTurn(client);
    await client.query(
      `CREATE TABLE IF NOT EXISTS schema_migrations (
        name text PRIMARY KEY,
        sha256 text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      )`,
    );
    const { rows } = await client.query<{ name: string; sha256: string }>('SELECT name, sha256 FROM schema_migrations ORDER BY name');
    const files = await readMigrations(folder);
    refuseOtherVersion(rows, files, dataFolder);
    const applied = new Set(rows.map((row) => row.name));
    const waiting = files.filter((file) => !applied.has(file.name));
    for (const file of waiting) await (file.outside ? buildIndex(client, file) : runInTransaction(client, file, patience));
    await addChannels(client);
    return waiting.map((file) => file.name);
  } finally {
    await client.end();
  }
}

/**
 * Asks for the lock again and again: a session that waits inside a statement holds a snapshot, and CREATE INDEX CONCURRENTLY
 * waits for all of those.
 */
async function takeTurn(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ ours: boolean }>(`SELECT pg_try_advisory_lock(hashtext('muster-migrations')) AS ours`);
    if (rows[0]?.ours) return;
    await delay(100);
  }
}

const record = (client: pg.Client, { name, sha256 }: MigrationFile): Promise<unknown> =>
  client.query('INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)', [name, sha256]);

async function runInTransaction(client: pg.Client, file: MigrationFile, { lockMs, pauseMs, tries }: Patience): Promise<void> {
  for (let left = tries - 1; ; left--) {
    try {
      await client.query(`BEGIN; SET LOCAL lock_timeout = ${lockMs}`);
      await client.query(file.text);
      await record(client, file);
      await client.query('COMMIT');
      return;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => undefined);
      if (!LOCKED.has((error as { code?: string }).code ?? '')) throw error;
      if (left === 0)
        throw new Error(
          `migration ${file.name} did not get its locks in ${tries} tries (${(error as Error).message}); ` +
            'nothing of it was applied: run it again',
          {
            cause: error,
          },
        );
    }
    await delay(pauseMs);
  }
}

/**
 * Outside a transaction only an index may be built, one a file, since it can be begun again: a run that was cut off leaves
 * an index that is invalid, or one that nobody wrote down, and either is dropped first. Nobody waits behind it, so it may
 * itself wait as long as it must.
 */
async function buildIndex(client: pg.Client, { name, text, ...file }: MigrationFile): Promise<void> {
  const statement = text.replace(/^\s*--.*\n/gm, '').trim();
  const index = /^CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(\w+)\s+ON\s[^;]+;$/.exec(statement)?.[1];
  if (index === undefined)
    throw new Error(`migration ${name}: outside a transaction there is one statement, CREATE INDEX CONCURRENTLY with a name`);
  const drop = `DROP INDEX CONCURRENTLY IF EXISTS ${index}`;
  await client.query('SET lock_timeout = 0');
  await client.query(drop);
  try {
    await client.query(statement);
  } catch (error) {
    // Even an invalid one refuses what it thinks is a double, to processes that know nothing of it.
    await client.query(drop).catch(() => undefined);
    throw error;
  }
  await record(client, { name, text, ...file });
}

/** Row-level security had holes in older minors (CVE-2023-2455, CVE-2025-8713): refuse them. */
async function checkServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ v: string }>(`SELECT current_setting('server_version_num') AS v`);
  const version = Number(rows[0]?.v ?? 0);
  const minimum: Record<number, number> = { 15: 150014, 16: 160010, 17: 170006, 18: 180000 };
  const major = Math.floor(version / 10_000);
  if (major < 15 || version < (minimum[major] ?? 0))
    throw new Error(`PostgreSQL ${major}.${version % 10_000} is too old: 15.14, 16.10, 17.6 or 18 and later are supported`);
}
