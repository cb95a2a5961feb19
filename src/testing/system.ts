import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import webpush from 'web-push';
import { openDatabase } from '#db/database.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { createLog } from '#platform/log.ts';
import { startSimulator, type Simulator } from '#simulator/start.ts';
import { createTenant, type NewTenant } from '#services/organisations/create-tenant.ts';
import { migrateAll } from '#src/migrate.ts';
import { createTestDatabase } from './database.ts';
import { TEST_SECRET_KEYS } from './deps.ts';

export type Behaviour = NonNullable<Parameters<typeof startSimulator>[0]['behaviour']>;

export interface SystemOptions {
  /** Queue on this Redis; without it on Postgres. */
  redisUrl?: string;
  workers?: number;
  behaviour?: Behaviour;
  /** Push services of a test's own, besides the simulator's. */
  pushHosts?: readonly string[];
  tenant?: Partial<NewTenant>;
  /** Root of another tree whose processes these are, its migrations first; this checkout unless told. */
  tree?: string;
  /** Further variables of the processes. */
  env?: Readonly<Record<string, string>>;
}

export interface System {
  readonly api: string;
  readonly apiKey: string;
  readonly tenantId: number;
  readonly databaseUrl: string;
  readonly simulator: Simulator;
  readonly email: string;
  readonly password: string;
  readonly workers: ChildProcess[];
  readonly apiProcess: () => ChildProcess;
  startWorker(): ChildProcess;
  startApi(): Promise<void>;
  call<T = unknown>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<{ status: number; body: T }>;
  /** The calls that the carriers wrote down before they answered. */
  calls(): { channel: string; to: string; ref: string; outcome: string; body?: string }[];
  /** Polls `GET /v1/messages/{id}` until the condition holds. */
  message<T>(id: string, holds: (view: T) => boolean, timeoutMs?: number): Promise<T>;
  logs(): string;
  close(): Promise<void>;
}

export const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address ? address.port : 0));
    });
  });

const HERE = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The whole system as it runs in production: API and worker as processes of their own, real Postgres, real Redis when
 * asked, the simulator's carriers. Every file that uses it has its own database and tenant.
 */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const database = await createTestDatabase();
  await migrateAll(database.url);
  const folder = mkdtempSync(join(tmpdir(), 'muster-system-'));
  const logFile = join(folder, 'processes.log');
  const log = openSync(logFile, 'a');
  const port = await freePort();
  const bouncePort = await freePort();
  const api = `http://127.0.0.1:${port}`;
  const accountSid = `AC${randomBytes(16).toString('hex')}`;
  const authToken = randomBytes(16).toString('hex');
  mkdirSync(join(folder, 'simulator'), { recursive: true });
  const simulator = await startSimulator({
    dataFolder: folder,
    publicUrl: api,
    accountSid,
    authToken,
    bounceSmtpUrl: `smtp://127.0.0.1:${bouncePort}`,
    log: createLog('simulator', 'silent'),
    ...(options.behaviour ? { behaviour: options.behaviour } : {}),
  });
  const vapid = webpush.generateVAPIDKeys();
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? '',
    PORT: String(port),
    PUBLIC_URL: api,
    MUSTER_DATA: folder,
    DATABASE_URL: database.url,
    SECRET_KEYS: TEST_SECRET_KEYS,
    TWILIO_ACCOUNT_SID: accountSid,
    TWILIO_AUTH_TOKEN: authToken,
    TWILIO_API_URL: simulator.url,
    SMTP_URL: simulator.smtpUrl,
    MAIL_FROM: 'Muster <muster@example.test>',
    VAPID_PUBLIC_KEY: vapid.publicKey,
    VAPID_PRIVATE_KEY: vapid.privateKey,
    PUSH_HOSTS: [simulator.url, ...(options.pushHosts ?? [])].join(','),
    BOUNCE_SMTP_PORT: String(bouncePort),
    ...(options.redisUrl ? { REDIS_URL: options.redisUrl } : {}),
    ...options.env,
  };
  const tree = options.tree ?? HERE;
  const run = (script: string): ChildProcess => spawn(process.execPath, [join(tree, script)], { env, stdio: ['ignore', log, log, 'ipc'] });
  if (options.tree) spawnSync(process.execPath, [join(tree, 'src/migrate-main.ts')], { env, stdio: ['ignore', log, log] });

  const email = `admin-${port}@example.test`;
  const password = 'correct horse battery staple';
  const db = openDatabase({ url: database.url, role: 'muster_api', max: 2, name: 'test', log: createLog('test', 'silent') });
  const { tenantId, apiKey } = await createTenant(
    { db },
    {
      name: 'Test District',
      policy: OPEN_POLICY,
      admin: { email, name: 'Admin', password },
      keyMode: 'live',
      senders: [
        { channel: 'sms', name: 'SMS', address: '+12025550100' },
        { channel: 'email', name: 'Mail', address: 'Muster <muster@example.test>' },
        { channel: 'push', name: 'Push', address: '' },
        { channel: 'sms', name: 'SMS drill', address: '+12025550199', drill: true },
      ],
      ...options.tenant,
    },
  );
  await db.close();

  let apiProcess = run('src/main.ts');
  const workers = Array.from({ length: options.workers ?? 1 }, () => run('workers/main.ts'));
  const ready = async (): Promise<void> => {
    for (let i = 0; i < 300; i++) {
      const ok = await request(`${api}/readyz`).then(
        async ({ statusCode, body }) => (await body.dump(), statusCode === 200),
        () => false,
      );
      if (ok) return;
      if (apiProcess.exitCode !== null) break;
      await delay(100);
    }
    throw new Error(`the API did not become ready:\n${readFileSync(logFile, 'utf8').slice(-3_000)}`);
  };
  await ready();

  const call: System['call'] = async (method, path, body, headers = {}) => {
    const raw = typeof body === 'string';
    const answer = await request(`${api}${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, ...(body === undefined || raw ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, body: (String(answer.headers['content-type']).includes('json') ? JSON.parse(text) : text) as never };
  };
  return {
    api,
    apiKey,
    tenantId,
    databaseUrl: database.url,
    simulator,
    email,
    password,
    workers,
    apiProcess: () => apiProcess,
    startWorker: () => {
      const worker = run('workers/main.ts');
      workers.push(worker);
      return worker;
    },
    startApi: async () => {
      apiProcess = run('src/main.ts');
      await ready();
    },
    call,
    calls: () =>
      readFileSync(join(folder, 'simulator', 'calls.ndjson'), 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as never),
    message: async <T>(id: string, holds: (view: T) => boolean, timeoutMs = 60_000) => {
      const until = performance.now() + timeoutMs;
      for (;;) {
        const { body } = await call<T>('GET', `/v1/messages/${id}`);
        if (holds(body)) return body;
        if (performance.now() > until)
          throw new Error(`not reached within ${timeoutMs} ms: ${JSON.stringify(body)}\n${readFileSync(logFile, 'utf8').slice(-2_000)}`);
        await delay(50);
      }
    },
    logs: () => readFileSync(logFile, 'utf8'),
    close: async () => {
      await Promise.all([apiProcess, ...workers].map((child) => endProcess(child)));
      await simulator.close();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** SIGTERM, then waits; SIGKILL after 25 s, which fails the promise of an orderly end. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 25_000);
  await ended;
  clearTimeout(timer);
}
