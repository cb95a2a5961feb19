import { join } from 'node:path';
import { rmSync } from 'node:fs';
import pg from 'pg';
import { startEmbeddedPostgres } from '#db/server/embedded-postgres.ts';
import { migrateAll } from '#src/migrate.ts';
import { guardPid, onEndAll } from './processes.ts';

export interface BenchPostgres {
  readonly version: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly pid: number | undefined;
  /** A database of its own with the product's tables. */
  createDatabase(): Promise<string>;
}

const DURABLE = ['fsync', 'synchronous_commit', 'full_page_writes'];
const REPORTED = [...DURABLE, 'shared_buffers', 'max_wal_size', 'wal_compression'];

/** The embedded server with its own settings, in a folder of its own: nothing of an installation is touched. */
export async function startPostgres(folder: string): Promise<BenchPostgres> {
  const server = await startEmbeddedPostgres({ folder: join(folder, 'database') });
  onEndAll(server.process, async () => {
    await server.stop();
    rmSync(server.folder, { recursive: true, force: true });
  });
  guardPid(server.process.pid, server.folder);
  const url = (name: string): string => server.url.replace(/\/postgres$/, `/${name}`);
  const owner = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  const { version, settings } = await owner(async (client) => {
    const shown = await client.query<{ name: string; setting: string }>(
      `SELECT name, current_setting(name) AS setting FROM pg_settings WHERE name = ANY ($1)`,
      [REPORTED],
    );
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    await client.query('CREATE DATABASE bench_template');
    return { version: rows[0]?.server_version ?? '', settings: Object.fromEntries(shown.rows.map((row) => [row.name, row.setting])) };
  });
  for (const name of DURABLE) if (settings[name] !== 'on') throw new Error(`PostgreSQL has ${name} = ${settings[name]}: what it commits would not be durable`);
  await migrateAll(url('bench_template'));
  let made = 0;
  return {
    version,
    settings,
    pid: server.process.pid,
    createDatabase: async () => {
      const name = `bench_${++made}`;
      await owner((client) => client.query(`CREATE DATABASE ${name} TEMPLATE bench_template`));
      return url(name);
    },
  };
}
