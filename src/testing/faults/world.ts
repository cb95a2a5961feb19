import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { openSync, readFileSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { Agent } from 'undici';
import { readConfig } from '#platform/config.ts';
import { PublicIds, Tokens } from '#platform/tokens.ts';
import type { Simulator } from '#simulator/start.ts';
import { type Answer, callApi } from '#testing/call-api.ts';
import { callLogOf } from '#testing/call-log.ts';
import { endChild, isRunning, killChild, nextMessage } from '#testing/child.ts';
import { type Installation, prepareInstallation } from '#testing/installation.ts';
import { until } from '#testing/until.ts';
import { check, readCalls, type Verdict, type WitnessedCall } from './check.ts';
import { endsWithRunner, isOver } from './leftovers.ts';
import type { PostgresServer, RedisServer } from './servers.ts';

const scriptOf = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** One process of the installation, and what the rows call it in `claimed_by`. */
export interface Child {
  readonly process: ChildProcess;
  readonly name: string;
}

export const alive = (child: Child): boolean => isRunning(child.process);

export interface WorldOptions {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer | undefined;
  readonly seed: number;
  /** Another way to the same database, for the runner and every process: a proxy in between. */
  readonly through?: (databaseUrl: string) => string;
  /** Addresses of a cluster's members, with commas between them, instead of one Redis. */
  readonly redisUrl?: string | undefined;
}

/** A whole installation for one row. It has its own database, carriers in this process, and API and workers as real processes. */
export class World {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer | undefined;
  readonly simulator: Simulator;
  readonly databaseUrl: string;
  readonly pool: pg.Pool;
  readonly tokens: Tokens;
  readonly tenantId: number;
  readonly apiUrl: string;
  readonly workers: Child[] = [];
  readonly apis: Child[] = [];
  readonly #children: Child[] = [];
  readonly #ids: PublicIds;
  readonly #key: string;
  readonly #folder: string;
  readonly #env: Record<string, string>;
  readonly #agent = new Agent({ connections: 100, pipelining: 1 });
  readonly #log: number;
  readonly #forget: () => void;

  private constructor(options: WorldOptions, url: string, installation: Installation) {
    this.postgres = options.postgres;
    this.redis = options.redis;
    this.simulator = installation.simulator;
    this.databaseUrl = url;
    this.pool = new pg.Pool({ connectionString: url, max: 4 });
    // Some rows stop the server on purpose, so its errors are no fault.
    this.pool.on('error', () => undefined);
    this.tenantId = installation.tenantId;
    this.#key = installation.apiKey;
    this.#ids = new PublicIds(installation.idKey);
    this.#folder = installation.folder;
    this.#env = installation.env;
    this.apiUrl = installation.api;
    this.tokens = new Tokens(readConfig(installation.env).secretKeys);
    this.#log = openSync(join(installation.folder, 'processes.log'), 'a');
    this.#forget = endsWithRunner(() => this.#abandon());
  }

  static async create(options: WorldOptions): Promise<World> {
    const direct = await options.postgres.cloneTemplate(`w_${randomBytes(6).toString('hex')}`);
    const url = options.through?.(direct) ?? direct;
    const installation = await prepareInstallation({
      databaseUrl: url,
      redisUrl: options.redisUrl ?? options.redis?.url,
      // Receipts have a row of their own; in other rows they would hide what the workers wrote.
      behaviour: { seed: options.seed, sms: { receipts: { lostShare: 1 } }, second: { sms: { receipts: { lostShare: 1 } } } },
      second: true,
      tenant: {
        name: 'Fault District',
        senders: [
          { channel: 'sms', name: 'SMS', address: '+12025550100' },
          { channel: 'email', name: 'Mail', address: 'Muster <muster@example.test>' },
        ],
      },
    });
    return new World(options, url, installation);
  }

  get callsFile(): string {
    return callLogOf(this.#folder);
  }

  #spawn(script: string, change: Record<string, string>): Child {
    if (isOver()) throw new Error('the runner was told to end');
    const child = spawn(process.execPath, [scriptOf(script)], { env: { ...this.#env, ...change }, stdio: ['ignore', this.#log, this.#log, 'ipc'] });
    const one = { process: child, name: `${hostname()}:${child.pid ?? 0}` };
    this.#children.push(one);
    return one;
  }

  async #ready(child: Child): Promise<Child> {
    await nextMessage(child.process, () => `a process ended before it was ready (${child.process.signalCode ?? child.process.exitCode}):\n${this.tail()}`);
    return child;
  }

  /** Resolves when the process has taken up work. */
  async startWorker(change: Record<string, string> = {}): Promise<Child> {
    const child = this.#spawn('workers/main.ts', change);
    this.workers.push(child);
    return this.#ready(child);
  }

  async startApi(change: Record<string, string> = {}): Promise<Child> {
    const child = this.#spawn('src/main.ts', change);
    this.apis.push(child);
    return this.#ready(child);
  }

  /** Starts an API and so many workers. */
  async start({ workers }: { workers: number }): Promise<void> {
    await this.startApi();
    await Promise.all(Array.from({ length: workers }, () => this.startWorker()));
  }

  call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    { base = this.apiUrl, timeoutMs = 60_000, headers = {} }: { headers?: Record<string, string>; base?: string; timeoutMs?: number } = {},
  ): Promise<Answer<T>> {
    return callApi(method, `${base}${path}`, body, { key: this.#key, dispatcher: this.#agent, headers, timeoutMs });
  }

  /**
   * Writes people straight into the table, since the import has tests of its own. `first` keeps the addresses of several
   * groups apart.
   */
  async people(count: number, { first = 0, tag = 'all', mail = false }: { first?: number; tag?: string; mail?: boolean } = {}): Promise<void> {
    await this.pool.query(
      `INSERT INTO recipients (tenant_id, name, phone, email, tags, consent)
       SELECT $1, 'Person ' || n, CASE WHEN $5 THEN NULL ELSE '+1202' || lpad(n::text, 7, '0') END, CASE WHEN $5 THEN 'p' || n || '@example.test' END,
         ARRAY[$4], '{life,ops,bulk}' FROM generate_series($2::int + 2000000, $2::int + 1999999 + $3::int) n`,
      [this.tenantId, first, count, tag, mail],
    );
  }

  /** Launches a message and gives back the row's number. Anything but a 201 is an error. */
  async launch(input: Record<string, unknown>): Promise<{ publicId: string; id: string }> {
    const { status, body } = await this.call<{ id: string }>('POST', '/v1/messages', {
      text: { en: 'Doors open at six' },
      audience: { all: true },
      channels: ['sms'],
      launch: true,
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      ...input,
    });
    if (status !== 201) throw new Error(`POST /v1/messages: ${status} ${JSON.stringify(body)}`);
    return { publicId: body.id, id: this.idOf(body.id) };
  }

  idOf(publicId: string): string {
    const id = this.#ids.decode('msg', publicId);
    if (id === undefined) throw new Error(`${publicId} is no id of a message`);
    return id;
  }

  calls(): WitnessedCall[] {
    return readCalls(this.callsFile, this.tokens);
  }

  check(messageIds: readonly string[]): Promise<Verdict> {
    return check(this.pool, this.callsFile, this.tokens, messageIds);
  }

  /** One number from the database, as its owner. */
  async number(text: string, values: unknown[] = []): Promise<number> {
    const { rows } = await this.pool.query<{ n: string | number | null }>(text, values);
    return Number(rows[0]?.n ?? 0);
  }

  /** Rows of these messages that a worker still has to do something about. `doubt`: also those that wait for evidence. */
  open(messageIds: readonly string[], doubt: boolean): Promise<number> {
    return this.number(
      `SELECT (SELECT COALESCE(sum(cardinality(ids) - marked), 0) FROM batches WHERE message_id = ANY ($1::bigint[]))
         + (SELECT count(*) FROM deliveries WHERE message_id = ANY ($1::bigint[]) AND (state IN ('pending', 'attempting') OR ($2 AND state = 'unknown')))
         + (SELECT count(*) FROM waves w JOIN messages m ON m.id = w.message_id WHERE m.id = ANY ($1::bigint[]) AND w.state IN ('waiting', 'planning')) AS n`,
      [messageIds, doubt],
    );
  }

  async settled(messageIds: readonly string[], { doubt = false, timeoutMs = 120_000 }: { doubt?: boolean; timeoutMs?: number } = {}): Promise<void> {
    await until(
      async () => (await this.open(messageIds, doubt)) === 0,
      timeoutMs,
      () => `messages ${messageIds.join(', ')} are not settled\n${this.tail()}`,
      200,
    );
  }

  /** The end of the processes' log and the lines that are no log lines, which say how a process died. */
  tail(): string {
    const lines = this.logged().split('\n');
    return [
      ...lines.filter((line) => !line.startsWith('{')).slice(-25),
      ...lines.filter((line) => line.includes('"level":50')).slice(-5),
      ...lines.slice(-5),
    ].join('\n');
  }

  logged(): string {
    return readFileSync(join(this.#folder, 'processes.log'), 'utf8');
  }

  async close(): Promise<void> {
    for (const child of this.#children) if (alive(child)) child.process.kill('SIGCONT');
    await Promise.all(this.#children.map((child) => end(child)));
    this.#forget();
    await this.#agent.destroy();
    await this.pool.end();
    await this.simulator.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Is called when the runner ends and nothing is measured any more. */
  async #abandon(): Promise<void> {
    await Promise.all(this.#children.map((child) => kill(child)));
    // The simulator writes into the folder, so it ends first.
    await this.simulator.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Asks the process to end; kills it after 25 s. @returns milliseconds it took */
export const end = (child: Child): Promise<number> => endChild(child.process);

export const kill = (child: Child): Promise<void> => killChild(child.process);
