import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#db/server/embedded-postgres.ts';
import { migrateAll } from '#src/migrate.ts';
import { endsWithRunner } from './leftovers.ts';

export const freePort = (): Promise<number> =>
  new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });

const exited = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : new Promise((done) => child.once('exit', () => done()));

/** A durable PostgreSQL that can be crashed and started again on the same port, with a migrated template in it. */
export class PostgresServer {
  readonly #folder: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly #forget: () => void;
  #running: EmbeddedPostgres | undefined;

  private constructor(folder: string, port: number, settings: Record<string, string>) {
    this.#folder = folder;
    this.port = port;
    this.settings = settings;
    this.#forget = endsWithRunner(() => this.close());
  }

  static async start(folder: string, settings: Record<string, string> = {}): Promise<PostgresServer> {
    // Room for two workers, their replacements and an API while all of them overlap.
    const server = new PostgresServer(folder, await freePort(), { max_connections: '400', shared_buffers: '128MB', ...settings });
    await server.up();
    await server.query('postgres', 'CREATE DATABASE muster_template');
    await migrateAll(server.urlOf('muster_template'));
    return server;
  }

  /** Where its data really is. */
  get folder(): string {
    return this.#running?.folder ?? this.#folder;
  }

  /** A folder beside its own, for a server that belongs to one row. */
  sibling(name: string): string {
    return `${this.#folder}-${name}`;
  }

  urlOf(database: string): string {
    const url = new URL(this.#running?.url ?? '');
    url.pathname = `/${database}`;
    return url.href;
  }

  async up(): Promise<void> {
    this.#running = await startEmbeddedPostgres({ folder: this.#folder, port: this.port, settings: this.settings });
  }

  /** Immediate shutdown: no checkpoint, every session cut; what was committed must come back from the log. */
  async crash(signal: 'SIGQUIT' | 'SIGKILL' = 'SIGQUIT'): Promise<void> {
    const child = this.#running?.process;
    if (!child) return;
    child.kill(signal);
    await exited(child);
  }

  async query(database: string, text: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.urlOf(database) });
    await client.connect();
    try {
      await client.query(text);
    } finally {
      await client.end();
    }
  }

  /** As PostgreSQL names it, without what it was built with. */
  async version(): Promise<string> {
    const client = new pg.Client({ connectionString: this.urlOf('postgres') });
    await client.connect();
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
    await client.end();
    return rows[0]?.server_version ?? 'unknown';
  }

  async cloneTemplate(name: string): Promise<string> {
    await this.query('postgres', `CREATE DATABASE ${name} TEMPLATE muster_template STRATEGY file_copy`);
    return this.urlOf(name);
  }

  async close(): Promise<void> {
    await this.#running?.stop();
    if (this.#running) rmSync(this.#running.folder, { recursive: true, force: true });
    rmSync(this.#folder, { recursive: true, force: true });
    this.#forget();
  }
}

export const hasRedis = (): boolean => spawnSync('redis-server', ['--version']).status === 0;

/** A Redis without persistence on a fixed port: killed, it comes back empty. */
export class RedisServer {
  readonly port: number;
  readonly #folder: string;
  readonly #forget: () => void;
  #child: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.port = port;
    this.#forget = endsWithRunner(() => this.close());
  }

  static async start(folder: string): Promise<RedisServer> {
    mkdirSync(join(folder, 'redis'), { recursive: true });
    const server = new RedisServer(join(folder, 'redis'), await freePort());
    await server.up();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async up(): Promise<void> {
    const child = spawn('redis-server', ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', '', '--appendonly', 'no'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    await new Promise<void>((done, fail) => {
      child.stdout.on('data', (chunk: Buffer) => chunk.includes('Ready to accept connections') && done());
      child.once('exit', (code) => fail(new Error(`redis-server ended with code ${code}`)));
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    child.kill('SIGKILL');
    await exited(child);
  }

  async flush(): Promise<void> {
    const client = new Redis(this.url);
    await client.flushall();
    client.disconnect();
  }

  async close(): Promise<void> {
    await this.kill();
    this.#forget();
  }
}
