import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { Pool } from 'undici';
import webpush from 'web-push';
import { type Database, openDatabase } from '#db/database.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { createLog } from '#platform/log.ts';
import { PublicIds, Tokens } from '#platform/tokens.ts';
import type { MessageView } from '#schemas/views.ts';
import { createTenant, type NewSender } from '#services/organisations/create-tenant.ts';
import type { BenchPostgres } from './postgres.ts';
import { endProcess, freePort, startNode, waitFor } from './processes.ts';

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
  /** Owner's connections: for what a user cannot see. */
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
  /** PEM file that the worker trusts besides the system's. */
  readonly certificate: string | undefined;
  readonly profile: string | undefined;
}

let started = 0;

/** Of Node itself, as `npm start` and everything in deploy/ give them. */
const OPTIONS = { api: ['--max-semi-space-size=16'], worker: ['--max-semi-space-size=24'] } as const;

function environment(options: SystemOptions, databaseUrl: string, port: number, data: string, secretKeys: string): Record<string, string> {
  const vapid = webpush.generateVAPIDKeys();
  return {
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    MUSTER_DATA: data,
    DATABASE_URL: databaseUrl,
    SECRET_KEYS: secretKeys,
    TWILIO_ACCOUNT_SID: `AC${randomBytes(16).toString('hex')}`,
    TWILIO_AUTH_TOKEN: randomBytes(16).toString('hex'),
    TWILIO_API_URL: options.smsUrl,
    SMTP_URL: `smtp://127.0.0.1:${options.mailPort}`,
    MAIL_FROM: 'Muster <muster@bench.example>',
    VAPID_PUBLIC_KEY: vapid.publicKey,
    VAPID_PRIVATE_KEY: vapid.privateKey,
    PUSH_HOSTS: options.pushUrl,
    ...(options.certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: options.certificate }),
    ...(options.redisUrl === undefined ? {} : { REDIS_URL: options.redisUrl }),
  };
}

export async function startSystem(options: SystemOptions): Promise<System> {
  const number = ++started;
  const folder = join(options.folder, `system-${number}`);
  mkdirSync(folder, { recursive: true });
  const databaseUrl = await options.postgres.createDatabase();
  const port = await freePort();
  const api = `http://127.0.0.1:${port}`;
  const secret = randomBytes(32);
  const env = environment(options, databaseUrl, port, folder, `a:${secret.toString('base64')}`);
  const execArgv = options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`];
  let processes = 0;
  const run = (name: 'api' | 'worker', script: string): { child: ChildProcess; logFile: string } => {
    const logFile = join(folder, `${name}-${++processes}.log`);
    const named = execArgv.length === 0 ? [] : [...execArgv, `--cpu-prof-name=${name}-${number}-${processes}.cpuprofile`];
    return { child: startNode(script, [], { env, logFile, execArgv: [...OPTIONS[name], ...named] }), logFile };
  };
  const whenStarted = async ({ child, logFile }: ReturnType<typeof run>, words: string): Promise<ChildProcess> => {
    await waitFor(
      words,
      () => {
        if (child.exitCode !== null) throw new Error(`${words}: it ended:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`);
        return readFileSync(logFile, 'utf8').includes(words);
      },
      30_000,
    );
    return child;
  };
  const sql = new pg.Pool({ connectionString: databaseUrl, max: 4 });
  sql.on('error', () => undefined);
  const db: Database = openDatabase({ url: databaseUrl, role: 'muster_api', max: 2, name: 'bench', log: createLog('bench', 'silent') });
  const apiProcess = await whenStarted(run('api', 'src/main.ts'), 'api started');
  const workers: ChildProcess[] = [];
  const setWorkers = async (count: number): Promise<void> => {
    for (const worker of workers.splice(count)) await endProcess(worker, 25_000);
    while (workers.length < count) workers.push(await whenStarted(run('worker', 'workers/main.ts'), 'worker started'));
  };
  await setWorkers(options.workers ?? 1);
  const pool = new Pool(api, { connections: 4 });
  const { rows } = await sql.query<{ id_key: Buffer }>('SELECT id_key FROM installation');
  const idKey = rows[0]?.id_key;
  if (!idKey) throw new Error('the installation has no key');
  const call = async <T>(tenant: Tenant, method: string, path: string, body?: unknown): Promise<T> => {
    const headers = { authorization: `Bearer ${tenant.apiKey}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const answer = await pool.request({ method, path, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text.slice(0, 500)}`);
    return JSON.parse(text) as T;
  };
  return {
    api,
    queue: options.redisUrl === undefined ? 'postgres' : 'redis',
    accountSid: env['TWILIO_ACCOUNT_SID'] ?? '',
    authToken: env['TWILIO_AUTH_TOKEN'] ?? '',
    tokens: new Tokens({ keys: [{ id: 'a', secret }] }),
    ids: new PublicIds(idKey),
    sql,
    apiPid: apiProcess.pid,
    workerPids: () => workers.map((worker) => worker.pid),
    setWorkers,
    addTenant: async (senders) => {
      const name = `bench-${randomBytes(6).toString('hex')}`;
      const admin = { email: `${name}@bench.example`, name: 'Bench', password: randomBytes(12).toString('hex') };
      const policy = OPEN_POLICY;
      const { tenantId, apiKey } = await createTenant({ db }, { name, policy, admin, keyMode: 'live', senders: [...senders] });
      return { id: tenantId, apiKey };
    },
    call,
    message: async (tenant, id, holds, timeoutMs) => {
      const until = performance.now() + timeoutMs;
      for (;;) {
        const view = await call<MessageView>(tenant, 'GET', `/v1/messages/${id}`);
        if (holds(view)) return view;
        if (performance.now() > until)
          throw new Error(`message not as awaited within ${Math.round(timeoutMs / 1000)} s: ${JSON.stringify({ state: view.state, ...view.deliveries })}`);
        // Each look costs the installation some 5 ms, and the end is `completedAt`, however late it is seen.
        await delay(200);
      }
    },
    close: async () => {
      await Promise.all([apiProcess, ...workers].map((child) => endProcess(child, 25_000)));
      await Promise.allSettled([pool.destroy(), sql.end(), db.close()]);
    },
  };
}
