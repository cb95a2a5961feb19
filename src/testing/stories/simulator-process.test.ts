import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TEST_ACCOUNT } from '#testing/simulator.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'simulator', 'main.ts');
let folder: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'muster-simulator-'));
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

function run(env: Record<string, string>): ChildProcess {
  child = spawn(process.execPath, [MAIN], {
    env: { PATH: process.env.PATH, MUSTER_DATA: folder, SIMULATOR_PORT: '0', PUBLIC_URL: 'http://127.0.0.1:9', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  return child;
}

const account = { TWILIO_ACCOUNT_SID: TEST_ACCOUNT, TWILIO_AUTH_TOKEN: 'token' };

test.each(['SIGTERM', 'SIGINT', 'disconnect'] as const)('the process says where it listens, and ends cleanly on %s although a caller waits', async (signal) => {
  const process = run(account);
  const [{ ready }] = (await once(process, 'message')) as [{ ready: { url: string; smtpUrl: string } }];
  expect(ready.smtpUrl).toMatch(/^smtp:\/\/127\.0\.0\.1:\d+$/);
  expect((await fetch(`${ready.url}/livez`)).status).toBe(200);
  await fetch(`${ready.url}/control`, { method: 'POST', body: JSON.stringify({ sms: { silentShare: 1 } }) });
  const headers = { authorization: `Basic ${Buffer.from(`${TEST_ACCOUNT}:token`).toString('base64')}` };
  const body = new URLSearchParams({ To: '+12025550123', From: '+15005550006', Body: 'x' });
  const waiting = fetch(`${ready.url}/2010-04-01/Accounts/${TEST_ACCOUNT}/Messages.json`, { method: 'POST', headers, body }).catch(() => 'torn down');
  const ended = once(process, 'exit');
  if (signal === 'disconnect') process.disconnect();
  else process.kill(signal);
  expect(await ended).toEqual([0, null]);
  expect(await waiting).toBe('torn down');
});

test('a missing setting is named, with exit code 78', async () => {
  const process = run({ TWILIO_ACCOUNT_SID: TEST_ACCOUNT });
  let words = '';
  process.stderr?.on('data', (chunk: Buffer) => (words += chunk.toString()));
  expect(await once(process, 'close')).toEqual([78, null]);
  expect(words).toMatch(/^TWILIO_AUTH_TOKEN: /m);
});

test('a port that is taken ends it with one line that says so', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const address = holder.address();
  const process = run({ ...account, SIMULATOR_PORT: String(typeof address === 'object' ? address?.port : 0) });
  let words = '';
  process.stdout?.on('data', (chunk: Buffer) => (words += chunk.toString()));
  expect(await once(process, 'close')).toEqual([1, null]);
  expect(words.trim().split('\n')).toEqual([expect.stringContaining('EADDRINUSE')]);
  holder.close();
});
