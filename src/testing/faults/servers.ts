import type { ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#db/server/embedded-postgres.ts';
import { freePort } from '#platform/free-port.ts';
import { migrateAll } from '#src/migrate.ts';
import { killChild } from '#testing/child.ts';
import { startRedisServer } from '#testing/redis-server.ts';
import { withClient } from '#testing/with-client.ts';
import { endsWithRunner } from './leftovers.ts';

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
    // There is room for two workers, their replacements and an API while all of them overlap.
    const server = new PostgresServer(folder, await freePort(), { max_connections: '400', shared_buffers: '128MB', ...settings });
    await server.up();
    await server.query('postgres', 'CREATE DATABASE muster_template');
    await migrateAll(server.urlOf('muster_template'));
    return server;
  }

  /** Folder in which its data really is. */
  get folder(): string {
    return this.#running?.folder ?? this.#folder;
  }

  /** Path of a folder beside its own, for a server that belongs to one row. */
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

  /** Shuts down immediately, without a checkpoint and with every session cut; what was committed must come back from the log. */
  async crash(signal: 'SIGQUIT' | 'SIGKILL' = 'SIGQUIT'): Promise<void> {
    if (this.#running) await killChild(this.#running.process, signal);
  }

  async query(database: string, text: string): Promise<void> {
    await withClient(this.urlOf(database), (client) => client.query(text));
  }

  /** Version as PostgreSQL names it, without what it was built with. */
  async version(): Promise<string> {
    const { rows } = await withClient(this.urlOf('postgres'), (client) => client.query<{ server_version: string }>('SHOW server_version'));
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

/** A Redis without persistence on a fixed port, which comes back empty when it was killed. */
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
    this.#child = await startRedisServer(this.port, this.#folder);
  }

  async kill(): Promise<void> {
    if (this.#child) await killChild(this.#child);
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
