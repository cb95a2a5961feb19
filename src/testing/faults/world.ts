import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { Agent, request } from 'undici';
import webpush from 'web-push';
import { openDatabase } from '#db/database.ts';
import { createLog } from '#platform/log.ts';
import { readConfig } from '#platform/config.ts';
import { PublicIds, Tokens } from '#platform/tokens.ts';
import { startSimulator, type Simulator } from '#simulator/start.ts';
import { createTenant } from '#services/create-tenant.ts';
import { check, readCalls, type Verdict, type WitnessedCall } from './check.ts';
import { freePort, type PostgresServer, type RedisServer } from './servers.ts';

const SECRET_KEYS = 'a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
const scriptOf = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly body: T;
}

/** One process of the installation, and what the rows call it in `claimed_by`. */
export interface Child {
  readonly process: ChildProcess;
  readonly name: string;
}

export const alive = (child: Child): boolean => child.process.exitCode === null && child.process.signalCode === null;

export interface WorldOptions {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer | undefined;
  readonly seed: number;
}

/** A whole installation for one row: its own database, carriers in this process, API and workers as real processes. */
export class World {
  readonly postgres: PostgresServer;
  readonly redis: RedisServer | undefined;
  readonly simulator: Simulator;
  readonly pool: pg.Pool;
  readonly tokens: Tokens;
  readonly tenantId: number;
  readonly apiUrl: string;
  readonly workers: Child[] = [];
  readonly apis: Child[] = [];
  readonly #ids: PublicIds;
  readonly #key: string;
  readonly #folder: string;
  readonly #env: Record<string, string>;
  readonly #agent = new Agent({ connections: 100, pipelining: 1 });
  readonly #log: number;

  private constructor(parts: {
    options: WorldOptions;
    simulator: Simulator;
    pool: pg.Pool;
    tenant: { tenantId: number; apiKey: string };
    ids: PublicIds;
    folder: string;
    env: Record<string, string>;
  }) {
    this.postgres = parts.options.postgres;
    this.redis = parts.options.redis;
    this.simulator = parts.simulator;
    this.pool = parts.pool;
    this.tenantId = parts.tenant.tenantId;
    this.#key = parts.tenant.apiKey;
    this.#ids = parts.ids;
    this.#folder = parts.folder;
    this.#env = parts.env;
    this.apiUrl = parts.env['PUBLIC_URL'] ?? '';
    this.tokens = new Tokens(readConfig(parts.env).secretKeys);
    this.#log = openSync(join(parts.folder, 'processes.log'), 'a');
  }

  static async create(options: WorldOptions): Promise<World> {
    const url = await options.postgres.cloneTemplate(`w_${randomBytes(6).toString('hex')}`);
    const folder = mkdtempSync(join(tmpdir(), 'muster-faults-'));
    mkdirSync(join(folder, 'simulator'), { recursive: true });
    const port = await freePort();
    const accountSid = `AC${randomBytes(16).toString('hex')}`;
    const authToken = randomBytes(16).toString('hex');
    const simulator = await startSimulator({
      dataFolder: folder,
      publicUrl: `http://127.0.0.1:${port}`,
      accountSid,
      authToken,
      log: createLog('simulator', 'silent'),
      // Receipts have a row of their own; elsewhere they would hide what the workers wrote.
      behaviour: { seed: options.seed, sms: { receipts: { lostShare: 1 } } },
    });
    const vapid = webpush.generateVAPIDKeys();
    const env = {
      PATH: process.env['PATH'] ?? '',
      PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      MUSTER_DATA: folder,
      DATABASE_URL: url,
      SECRET_KEYS,
      TWILIO_ACCOUNT_SID: accountSid,
      TWILIO_AUTH_TOKEN: authToken,
      TWILIO_API_URL: simulator.url,
      SMTP_URL: simulator.smtpUrl,
      MAIL_FROM: 'Muster <muster@example.test>',
      VAPID_PUBLIC_KEY: vapid.publicKey,
      VAPID_PRIVATE_KEY: vapid.privateKey,
      PUSH_HOSTS: simulator.url,
      ...(options.redis ? { REDIS_URL: options.redis.url } : {}),
    };
    const db = openDatabase({ url, role: 'muster_api', max: 2, name: 'faults', log: createLog('faults', 'silent') });
    const tenant = await createTenant(
      { db },
      {
        name: 'Fault District',
        policy: { approvalAbove: { life: null, ops: null, bulk: null } },
        admin: { email: `admin-${port}@example.test`, name: 'Admin', password: 'correct horse battery staple' },
        keyMode: 'live',
        senders: [
          { channel: 'sms', name: 'SMS', address: '+12025550100' },
          { channel: 'email', name: 'Mail', address: 'Muster <muster@example.test>' },
        ],
      },
    );
    const installation = await db.across.selectFrom('installation').select('id_key').executeTakeFirstOrThrow();
    await db.close();
    const pool = new pg.Pool({ connectionString: url, max: 4 });
    // The server is stopped on purpose by some rows.
    pool.on('error', () => undefined);
    return new World({ options, simulator, pool, tenant, ids: new PublicIds(installation.id_key), folder, env });
  }

  get callsFile(): string {
    return join(this.#folder, 'simulator', 'calls.ndjson');
  }

  #spawn(script: string, change: Record<string, string>): Child {
    const child = spawn(process.execPath, [scriptOf(script)], { env: { ...this.#env, ...change }, stdio: ['ignore', this.#log, this.#log, 'ipc'] });
    return { process: child, name: `${hostname()}:${child.pid ?? 0}` };
  }

  async #ready(child: Child): Promise<Child> {
    await new Promise<void>((done, fail) => {
      child.process.once('message', () => done());
      child.process.once('exit', (code, signal) => fail(new Error(`a process ended before it was ready (${signal ?? code}):\n${this.tail()}`)));
    });
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

  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    { headers = {}, base = this.apiUrl, timeoutMs = 60_000 }: { headers?: Record<string, string>; base?: string; timeoutMs?: number } = {},
  ): Promise<Answer<T>> {
    const answer = await request(`${base}${path}`, {
      method,
      dispatcher: this.#agent,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      headers: { authorization: `Bearer ${this.#key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, body: (text.startsWith('{') ? JSON.parse(text) : {}) as T };
  }

  /** People straight into the table: the import has tests of its own. `first` keeps addresses of several groups apart. */
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

  /** The end of the processes' log, and whatever is not a log line: how a process died. */
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
    for (const child of [...this.workers, ...this.apis]) if (alive(child)) child.process.kill('SIGCONT');
    await Promise.all([...this.workers, ...this.apis].map((child) => end(child)));
    await this.#agent.destroy();
    await this.pool.end();
    await this.simulator.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** SIGTERM, then waits; SIGKILL after 25 s. @returns milliseconds it took */
export async function end(child: Child): Promise<number> {
  if (!alive(child)) return 0;
  const started = performance.now();
  const gone = new Promise<void>((done) => child.process.once('exit', () => done()));
  child.process.kill('SIGTERM');
  const timer = setTimeout(() => child.process.kill('SIGKILL'), 25_000);
  await gone;
  clearTimeout(timer);
  return performance.now() - started;
}

export async function kill(child: Child, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' = 'SIGKILL'): Promise<void> {
  if (!alive(child)) return;
  const gone = signal === 'SIGKILL' ? new Promise<void>((done) => child.process.once('exit', () => done())) : Promise.resolve();
  child.process.kill(signal);
  await gone;
}

/** Polls until the condition holds. @returns milliseconds it took */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs: number, what: string | (() => string), everyMs = 20): Promise<number> {
  const started = performance.now();
  while (!(await holds())) {
    if (performance.now() - started > timeoutMs) throw new Error(`not within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`);
    await delay(everyMs);
  }
  return performance.now() - started;
}
