import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '#platform/log.ts';
import type { Call } from '#simulator/call-log.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '#simulator/start.ts';

import { callLogOf, readCallLog } from './call-log.ts';

export const TEST_ACCOUNT = `AC${'0123456789abcdef'.repeat(2)}`;
export const TEST_TOKEN = 'an auth token of the tests';

export interface Visit {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Fields of a form; empty for other bodies. */
  readonly form: Record<string, string>;
  /** The body as it came. */
  readonly body: string;
}

export type Site = (
  visit: Visit,
) => { status?: number; body?: string; headers?: Record<string, string> } | Promise<{ status?: number; body?: string; headers?: Record<string, string> }>;

/** A web server in the place of Muster, which records requests and answers as it is told. */
export interface RecordingSite {
  readonly url: string;
  readonly visits: Visit[];
  /** Resolves with the visits that fit, once there are `count` of them. */
  until(count: number, fits: (visit: Visit) => boolean): Promise<Visit[]>;
  close(): Promise<void>;
}

export async function recordingSite(answer: Site = () => ({})): Promise<RecordingSite> {
  const visits: Visit[] = [];
  let watchers: (() => void)[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const visit = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        form: Object.fromEntries(new URLSearchParams(body)),
        body,
      };
      visits.push(visit);
      for (const watcher of watchers) watcher();
      void Promise.resolve(answer(visit)).then(({ status = 200, body: page = '', headers = {} }) => response.writeHead(status, headers).end(page));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    visits,
    until: (count, fits) =>
      new Promise((done) => {
        const look = (): void => {
          const found = visits.filter(fits);
          if (found.length < count) return;
          watchers = watchers.filter((watcher) => watcher !== look);
          done(found);
        };
        watchers.push(look);
        look();
      }),
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

export interface TestSimulator extends Simulator {
  readonly dataFolder: string;
  /** Posts a text message as Twilio's API has it. */
  postSms(form: Record<string, string>, init?: RequestInit): Promise<Response>;
  /** The log as it is on disk now. */
  logged(): Call[];
}

/** Starts carriers on free ports with their own folder; without `publicUrl` their callbacks reach nobody. */
export async function startTestSimulator(options: Partial<SimulatorOptions> = {}): Promise<TestSimulator> {
  const dataFolder = options.dataFolder ?? (await mkdtemp(join(tmpdir(), 'muster-simulator-')));
  const simulator = await startSimulator({
    publicUrl: 'http://127.0.0.1:9',
    accountSid: TEST_ACCOUNT,
    authToken: TEST_TOKEN,
    log: createLog('simulator', 'silent'),
    ...options,
    dataFolder,
  });
  return {
    ...simulator,
    dataFolder,
    postSms: (form, init = {}) =>
      fetch(`${simulator.url}/2010-04-01/Accounts/${TEST_ACCOUNT}/Messages.json`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${TEST_ACCOUNT}:${TEST_TOKEN}`).toString('base64')}` },
        body: new URLSearchParams(form),
        ...init,
      }),
    logged: () => readCallLog(callLogOf(dataFolder)),
    close: async () => {
      await simulator.close();
      if (options.dataFolder === undefined) await rm(dataFolder, { recursive: true, force: true });
    },
  };
}
