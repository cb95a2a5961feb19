import { chmodSync, chownSync, cpSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#db/server/embedded-postgres.ts';
import { endsWithRunner } from './leftovers.ts';
import { freePort, type PostgresServer } from './servers.ts';
import { until } from './world.ts';

const NAME = 'standby';

export interface Standby {
  readonly port: number;
  /** From now on a commit of the primary is answered when it is on this one's disk. */
  synchronous(): Promise<void>;
  /** Resolves when it takes writes. */
  promote(): Promise<void>;
  close(): Promise<void>;
}

/** What a copy of a running server must leave out: its lock, its log, and what is written anew. */
const LEFT_OUT = new Set(['postmaster.pid', 'postmaster.opts', 'pg_wal', 'pg_replslot', 'pg_notify', 'pg_stat_tmp', 'pg_subtrans']);

function give(path: string, uid: number, gid: number): void {
  chownSync(path, uid, gid);
  if (statSync(path).isDirectory()) for (const name of readdirSync(path)) give(join(path, name), uid, gid);
}

/**
 * A standby on loopback, by a low-level base backup: the embedded PostgreSQL brings no pg_basebackup. The primary keeps
 * all of its log, so the standby fetches from it whatever the copy is missing.
 */
export async function startStandby(primary: PostgresServer, folder: string): Promise<Standby> {
  const data = join(folder, 'postgres');
  for (const name of [
    '',
    'postgres',
    'postgres/pg_wal',
    'postgres/pg_wal/archive_status',
    'postgres/pg_wal/summaries',
    ...[...LEFT_OUT].slice(3).map((one) => `postgres/${one}`),
  ])
    mkdirSync(join(folder, name), { recursive: true });
  const owner = new pg.Client({ connectionString: primary.urlOf('postgres') });
  owner.on('error', () => undefined);
  await owner.connect();
  await owner.query(`SELECT pg_backup_start('standby', true)`);
  const source = join(primary.folder, 'postgres');
  cpSync(source, data, { recursive: true, filter: (path) => path === source || !(LEFT_OUT.has(basename(path)) && join(source, basename(path)) === path) });
  const { rows } = await owner.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop(false)');
  writeFileSync(join(data, 'backup_label'), rows[0]?.labelfile ?? '');
  writeFileSync(join(data, 'standby.signal'), '');
  cpSync(join(primary.folder, 'postgres-password'), join(folder, 'postgres-password'));
  chmodSync(data, 0o700);
  const { uid, gid } = statSync(source);
  give(data, uid, gid);
  const url = new URL(primary.urlOf('postgres'));
  const port = await freePort();
  const server: EmbeddedPostgres = await startEmbeddedPostgres({
    folder,
    port,
    settings: {
      ...primary.settings,
      primary_conninfo: `host=127.0.0.1 port=${primary.port} user=${url.username} password=${decodeURIComponent(url.password)} application_name=${NAME}`,
    },
  });
  const own = new URL(server.url);
  const asOwner = async (text: string): Promise<void> => {
    const client = new pg.Client({ connectionString: own.href });
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  };
  const close = async (): Promise<void> => {
    forget();
    await server.stop();
    rmSync(server.folder, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  };
  const forget = endsWithRunner(close);
  return {
    port,
    synchronous: async () => {
      await owner.query(`ALTER SYSTEM SET synchronous_standby_names = '${NAME}'`);
      await owner.query('SELECT pg_reload_conf()');
      await until(
        async () => (await owner.query(`SELECT 1 FROM pg_stat_replication WHERE application_name = '${NAME}' AND sync_state = 'sync'`)).rows.length === 1,
        30_000,
        'the standby does not follow',
        50,
      );
      await owner.end();
    },
    promote: () => asOwner('SELECT pg_promote(true, 60)'),
    close,
  };
}
