import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import type { Call } from '#simulator/call-log.ts';
import type { BehaviourChange } from '#simulator/control.ts';
import type { Simulator } from '#simulator/start.ts';
import type { NewTenant } from '#services/organisations/create-tenant.ts';
import { migrateAll } from '#src/migrate.ts';
import { type Answer, callApi } from './call-api.ts';
import { callLogOf, readCallLog } from './call-log.ts';
import { endChild, isRunning } from './child.ts';
import { createTestDatabase } from './database.ts';
import { prepareInstallation } from './installation.ts';
import { PASSWORD } from './secrets.ts';

export interface SystemOptions {
  /** Address of the queue's Redis; without it the queue is on Postgres. */
  redisUrl?: string;
  workers?: number;
  behaviour?: BehaviourChange;
  /** Push services that a test brings, besides the simulator's. */
  pushHosts?: readonly string[];
  tenant?: Partial<NewTenant>;
  /** A migrated database of the caller's own, who drops it. */
  databaseUrl?: string;
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
  call<T = unknown>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<T>>;
  /** The calls that the carriers wrote down before they answered. */
  calls(): Call[];
  /** Polls `GET /v1/messages/{id}` until the condition holds. */
  message<T>(id: string, holds: (view: T) => boolean, timeoutMs?: number): Promise<T>;
  logs(): string;
  close(): Promise<void>;
}

/** Resolves when the API takes requests. @throws with the end of the log when its process ends, or after half a minute */
async function untilReady(api: string, child: ChildProcess, logFile: string): Promise<void> {
  for (let i = 0; i < 300 && isRunning(child); i++) {
    const ok = await request(`${api}/readyz`).then(
      async ({ statusCode, body }) => (await body.dump(), statusCode === 200),
      () => false,
    );
    if (ok) return;
    await delay(100);
  }
  throw new Error(`the API did not become ready:\n${readFileSync(logFile, 'utf8').slice(-3_000)}`);
}

/** Polls a message until the condition holds. @throws with what it saw last and the end of the log */
async function untilMessage<T>(look: () => Promise<Answer<T>>, holds: (view: T) => boolean, timeoutMs: number, logFile: string): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const { body } = await look();
    if (holds(body)) return body;
    if (performance.now() > end) throw new Error(`not reached within ${timeoutMs} ms: ${JSON.stringify(body)}\n${readFileSync(logFile, 'utf8').slice(-2_000)}`);
    await delay(50);
  }
}

/** The usual senders, live for every channel and one for drills by SMS. */
const SENDERS: NewTenant['senders'] = [
  { channel: 'sms', name: 'SMS', address: '+12025550100' },
  { channel: 'email', name: 'Mail', address: 'Muster <muster@example.test>' },
  { channel: 'push', name: 'Push', address: '' },
  { channel: 'sms', name: 'SMS drill', address: '+12025550199', drill: true },
];

const HERE = fileURLToPath(new URL('../..', import.meta.url));

/**
 * The whole system as it runs in production, with API and worker as processes of their own, real Postgres, real Redis when it is
 * asked for, and the simulator's carriers. Every file that uses it has its own database and tenant.
 */
export async function startSystem(options: SystemOptions = {}): Promise<System> {
  const database = options.databaseUrl === undefined ? await createTestDatabase() : { url: options.databaseUrl, drop: () => Promise.resolve() };
  if (options.databaseUrl === undefined) await migrateAll(database.url);
  const { folder, simulator, env, api, tenantId, apiKey, email } = await prepareInstallation({
    databaseUrl: database.url,
    redisUrl: options.redisUrl || undefined,
    ...(options.behaviour ? { behaviour: options.behaviour } : {}),
    pushHosts: options.pushHosts ?? [],
    bounces: true,
    tenant: { name: 'Test District', senders: SENDERS, ...options.tenant },
  });
  const logFile = join(folder, 'processes.log');
  const log = openSync(logFile, 'a');
  const tree = options.tree ?? HERE;
  const processEnv = { ...env, ...options.env };
  const run = (script: string): ChildProcess => spawn(process.execPath, [join(tree, script)], { env: processEnv, stdio: ['ignore', log, log, 'ipc'] });
  if (options.tree) spawnSync(process.execPath, [join(tree, 'src/migrate-main.ts')], { env: processEnv, stdio: ['ignore', log, log] });

  let apiProcess = run('src/main.ts');
  const workers = Array.from({ length: options.workers ?? 1 }, () => run('workers/main.ts'));
  const ready = () => untilReady(api, apiProcess, logFile);
  await ready();

  const call: System['call'] = (method, path, body, headers = {}) => callApi(method, `${api}${path}`, body, { key: apiKey, headers });
  return {
    api,
    apiKey,
    tenantId,
    databaseUrl: database.url,
    simulator,
    email,
    password: PASSWORD,
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
    calls: () => readCallLog(callLogOf(folder)),
    message: (id, holds, timeoutMs = 60_000) => untilMessage(() => call('GET', `/v1/messages/${id}`), holds, timeoutMs, logFile),
    logs: () => readFileSync(logFile, 'utf8'),
    close: async () => {
      await Promise.all([apiProcess, ...workers].map((child) => endChild(child)));
      await simulator.close();
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
