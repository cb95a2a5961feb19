import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { Pool } from 'undici';
import { type Database, openDatabase } from '#db/database.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { freePort } from '#platform/free-port.ts';
import { createLog } from '#platform/log.ts';
import { PublicIds, Tokens } from '#platform/tokens.ts';
import type { MessageView } from '#schemas/views.ts';
import { createTenant, type NewSender } from '#services/organisations/create-tenant.ts';
import { fromApi } from '#testing/call-api.ts';
import { endChild } from '#testing/child.ts';
import { environmentOf, newAccount } from '#testing/installation.ts';
import { until } from '#testing/until.ts';
import type { BenchPostgres } from './postgres.ts';
import { startNode } from './processes.ts';

export interface Tenant {
  readonly id: number;
  readonly apiKey: string;
}

/** Muster as it runs in production: API and worker processes of their own, real Postgres, real Redis when asked. */
export interface System {
  readonly api: string;
  readonly queue: 'redis' | 'postgres';
  readonly accountSid: string;
  readonly authToken: string;
  readonly tokens: Tokens;
  readonly ids: PublicIds;
  /** Connections of the database's owner, for what a user of the API cannot see. */
  readonly sql: pg.Pool;
  readonly apiPid: number | undefined;
  workerPids(): (number | undefined)[];
  /** Starts or ends worker processes until there are so many. */
  setWorkers(count: number): Promise<void>;
  addTenant(senders: readonly NewSender[]): Promise<Tenant>;
  call<T>(tenant: Tenant, method: string, path: string, body?: unknown): Promise<T>;
  /** Polls the message until the condition holds. */
  message(tenant: Tenant, id: string, holds: (view: MessageView) => boolean, timeoutMs: number): Promise<MessageView>;
  close(): Promise<void>;
}

export interface SystemOptions {
  readonly postgres: BenchPostgres;
  readonly folder: string;
  readonly redisUrl: string | undefined;
  readonly workers?: number;
  /** Base URL of the SMS provider. */
  readonly smsUrl: string;
  readonly mailPort: number;
  readonly pushUrl: string;
  /** PEM file of a certificate that the worker trusts besides the system's. */
  readonly certificate: string | undefined;
  readonly profile: string | undefined;
}

let started = 0;

/** Options of Node itself, as `npm start` and everything in deploy/ give them. */
const OPTIONS = { api: ['--max-semi-space-size=16'], worker: ['--max-semi-space-size=24'] } as const;

/** Starts the processes of one system, each with a log of its own, and waits until each says that it has started. */
class Processes {
  readonly #system: number;
  readonly #folder: string;
  readonly #env: Record<string, string>;
  readonly #profile: string | undefined;
  #started = 0;

  constructor(system: number, folder: string, env: Record<string, string>, profile: string | undefined) {
    this.#system = system;
    this.#folder = folder;
    this.#env = env;
    this.#profile = profile;
  }

  async start(name: 'api' | 'worker', script: string): Promise<ChildProcess> {
    this.#started += 1;
    const logFile = join(this.#folder, `${name}-${this.#started}.log`);
    const profile = `${name}-${this.#system}-${this.#started}.cpuprofile`;
    const profiling = this.#profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${this.#profile}`, `--cpu-prof-name=${profile}`];
    const child = startNode(script, [], { env: this.#env, logFile, execArgv: [...OPTIONS[name], ...profiling] });
    const words = `${name} started`;
    await until(
      () => {
        const log = readFileSync(logFile, 'utf8');
        if (child.exitCode !== null) throw new Error(`${words}: it ended:\n${log.slice(-2_000)}`);
        return log.includes(words);
      },
      30_000,
      `it does not say "${words}"`,
    );
    return child;
  }
}

async function idKeyOf(sql: pg.Pool): Promise<Buffer> {
  const { rows } = await sql.query<{ id_key: Buffer }>('SELECT id_key FROM installation');
  const idKey = rows[0]?.id_key;
  if (!idKey) throw new Error('the installation has no key');
  return idKey;
}

async function addTenant(db: Database, senders: readonly NewSender[]): Promise<Tenant> {
  const name = `bench-${randomBytes(6).toString('hex')}`;
  const admin = { email: `${name}@bench.example`, name: 'Bench', password: randomBytes(12).toString('hex') };
  const { tenantId, apiKey } = await createTenant({ db }, { name, policy: OPEN_POLICY, admin, keyMode: 'live', senders: [...senders] });
  return { id: tenantId, apiKey };
}

export async function startSystem(options: SystemOptions): Promise<System> {
  const number = ++started;
  const folder = join(options.folder, `system-${number}`);
  mkdirSync(folder, { recursive: true });
  const databaseUrl = await options.postgres.createDatabase();
  const port = await freePort();
  const api = `http://127.0.0.1:${port}`;
  const secret = randomBytes(32);
  const account = newAccount();
  const env = {
    ...environmentOf({
      port,
      dataFolder: folder,
      databaseUrl,
      redisUrl: options.redisUrl,
      secretKeys: `a:${secret.toString('base64')}`,
      account,
      smsUrl: options.smsUrl,
      smtpUrl: `smtp://127.0.0.1:${options.mailPort}`,
      mailFrom: 'Muster <muster@bench.example>',
      pushHosts: [options.pushUrl],
    }),
    ...(options.certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: options.certificate }),
  };
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 4 });
  sql.on('error', () => undefined);
  const db = openDatabase({ url: databaseUrl, role: 'muster_api', max: 2, name: 'bench', log: createLog('bench', 'silent') });
  const processes = new Processes(number, folder, env, options.profile);
  const apiProcess = await processes.start('api', 'src/main.ts');
  const workers: ChildProcess[] = [];
  const setWorkers = async (count: number): Promise<void> => {
    for (const worker of workers.splice(count)) await endChild(worker);
    while (workers.length < count) workers.push(await processes.start('worker', 'workers/main.ts'));
  };
  await setWorkers(options.workers ?? 1);
  const pool = new Pool(api, { connections: 4 });
  const call = <T>(tenant: Tenant, method: string, path: string, body?: unknown): Promise<T> =>
    fromApi(method, `${api}${path}`, body, { key: tenant.apiKey, dispatcher: pool });
  return {
    api,
    queue: options.redisUrl === undefined ? 'postgres' : 'redis',
    ...account,
    tokens: new Tokens({ keys: [{ id: 'a', secret }] }),
    ids: new PublicIds(await idKeyOf(sql)),
    sql,
    apiPid: apiProcess.pid,
    workerPids: () => workers.map((worker) => worker.pid),
    setWorkers,
    addTenant: (senders) => addTenant(db, senders),
    call,
    message: (tenant, id, holds, timeoutMs) => untilMessage(() => call<MessageView>(tenant, 'GET', `/v1/messages/${id}`), holds, timeoutMs),
    close: async () => {
      await Promise.all([apiProcess, ...workers].map((child) => endChild(child)));
      await Promise.allSettled([pool.destroy(), sql.end(), db.close()]);
    },
  };
}

/**
 * Polls the message until the condition holds. It polls seldom: each look costs the installation some 5 ms, and the end is the
 * message's own `completedAt`, however late it is seen.
 */
async function untilMessage(look: () => Promise<MessageView>, holds: (view: MessageView) => boolean, timeoutMs: number): Promise<MessageView> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const view = await look();
    if (holds(view)) return view;
    if (performance.now() > end)
      throw new Error(`message not as awaited within ${Math.round(timeoutMs / 1000)} s: ${JSON.stringify({ state: view.state, ...view.deliveries })}`);
    await delay(200);
  }
}
