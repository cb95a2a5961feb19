import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import { addChannels } from './add-channels.ts';

const FOLDER = new URL('../../../schemas/migrations/', import.meta.url);

/**
 * Applies the numbered SQL files in order, each in its own transaction, under one advisory lock so that any number of
 * processes may start at once. Forward only: an applied file that changed afterwards is refused.
 *
 * @returns names of the files applied now
 */
export async function migrate(url: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: url, application_name: 'muster-migrate' });
  await client.connect();
  try {
    await checkServer(client);
    await client.query(`SELECT pg_advisory_lock(hashtext('muster-migrations'))`);
    await client.query(
      `CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const { rows } = await client.query<{ name: string; sha256: string }>('SELECT name, sha256 FROM schema_migrations');
    const applied = new Map(rows.map((row) => [row.name, row.sha256]));
    const done: string[] = [];
    for (const name of (await readdir(FOLDER)).filter((file) => file.endsWith('.sql')).sort()) {
      const text = await readFile(new URL(name, FOLDER), 'utf8');
      const sha256 = createHash('sha256').update(text).digest('hex');
      const known = applied.get(name);
      if (known === sha256) continue;
      if (known !== undefined) throw new Error(`migration ${name} was changed after it was applied; write a new one instead`);
      await client.query('BEGIN');
      await client.query(text);
      await client.query('INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)', [name, sha256]);
      await client.query('COMMIT');
      done.push(name);
    }
    await addChannels(client);
    return done;
  } finally {
    await client.end();
  }
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
