import { Hono } from 'hono';
import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMessage } from '#services/messages/create-message.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { createApp } from './app.ts';
import { progressHub } from './progress-hub.ts';
import { serve, type Serving } from './server.ts';

let deps: TestDeps;
let apiKey: string;
let tenantId: number;
let serving: Serving;

beforeAll(async () => {
  deps = await createTestDeps();
  ({ apiKey, tenantId } = await deps.tenant());
  serving = await serve(createApp(deps), { port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await serving.close(1_000);
  await progressHub(deps).close();
  await deps.close();
});

/** Writes chunks for as long as the server takes them. @returns status, and how much had been written by then */
function pour(path: string, totalBytes: number, headers: Record<string, string> = {}): Promise<{ status: number; body: string; written: number }> {
  const chunk = Buffer.alloc(64 * 1024, 0x20);
  return new Promise((done, fail) => {
    let written = 0;
    let answered = false;
    const call = request(
      `${serving.url}${path}`,
      { method: 'POST', headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...headers } },
      (response) => {
        answered = true;
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.once('close', () => done({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString(), written }));
      },
    );
    // After the answer the server hangs up on what is still being poured.
    call.on('error', (error) => {
      if (!answered) fail(error);
    });
    const more = (): void => {
      if (answered || call.destroyed) return;
      if (written >= totalBytes) return void call.end();
      written += chunk.length;
      if (call.write(chunk)) setImmediate(more);
      else call.once('drain', more);
    };
    more();
  });
}

test('1 GB in chunks is refused with 413 at flat memory and without being read', async () => {
  const before = process.memoryUsage().rss;
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 5);
  const { status, body, written } = await pour('/v1/messages', 1024 ** 3);
  clearInterval(watch);
  expect(status).toBe(413);
  expect(JSON.parse(body)).toMatchObject({ code: 'body_too_large', limitBytes: 1024 ** 2 });
  expect(written).toBeLessThan(128 * 1024 ** 2);
  expect((peak - before) / 1024 ** 2).toBeLessThan(60);
});

test('a declared length beyond the limit is refused before a byte is read; 1 MB just fits', async () => {
  const declared = await fetch(`${serving.url}/v1/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: ' '.repeat(1024 ** 2 + 1),
  });
  expect(declared.status).toBe(413);
  const fits = await fetch(`${serving.url}/v1/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: '{}'.padEnd(1024 ** 2),
  });
  expect(fits.status).toBe(422);
});

test('limits of wrong keys go by the socket, whatever X-Forwarded-For says', async () => {
  const own = await serve(createApp(deps), { port: 0, host: '127.0.0.1' });
  const wrong = (i: number) => fetch(`${own.url}/v1/messages`, { headers: { authorization: 'Bearer mu_live_wrong', 'x-forwarded-for': `203.0.113.${i}` } });
  for (let i = 0; i < 30; i++) expect((await wrong(i)).status).toBe(401);
  expect((await wrong(77)).status).toBe(429);
  await own.close(1_000);
});

test('closing ends event streams, lets a running request finish, and refuses new ones', async () => {
  let release: (() => void) | undefined;
  let entered: (() => void) | undefined;
  const inside = new Promise<void>((done) => {
    entered = done;
  });
  const slowly = new Hono().get('/slow', async (c) => {
    entered?.();
    await new Promise<void>((done) => {
      release = done;
    });
    return c.text('finished');
  });
  const app = slowly.route('/', createApp(deps));
  const own = await serve(app, { port: 0, host: '127.0.0.1', endStreams: () => progressHub(deps).close() });
  const { id } = await createMessage(deps.as(tenantId), {
    class: 'ops',
    drill: false,
    text: { en: 'Come' },
    audience: { all: true },
    channels: ['sms'],
    answers: [],
    share: false,
    launch: false,
  });
  const stream = await fetch(`${own.url}/v1/messages/${id}/events`, { headers: { authorization: `Bearer ${apiKey}` } });
  expect(stream.status).toBe(200);
  const slow = fetch(`${own.url}/slow`);
  await inside;
  const closing = own.close(10_000);
  expect(await stream.text()).toContain('event: message');
  await expect(fetch(`${own.url}/livez`)).rejects.toThrow('fetch failed');
  release?.();
  expect(await (await slow).text()).toBe('finished');
  expect(await closing).toBe(0);
});

test('what does not finish by the deadline is cut', async () => {
  const app = new Hono().get('/never', () => new Promise<Response>(() => undefined)).route('/', createApp(deps));
  const own = await serve(app, { port: 0, host: '127.0.0.1' });
  const never = fetch(`${own.url}/never`).catch((error: unknown) => error);
  await fetch(`${own.url}/livez`);
  expect(await own.close(200)).toBeGreaterThan(0);
  expect(await never).toBeInstanceOf(Error);
});

test.each([
  ['a NUL in a search', 'GET', '/v1/recipients?q=%00', undefined],
  ['a NUL in a tag of an audience', 'POST', '/v1/messages', { audience: { tags: ['a\u0000b'] } }],
  ['half of a surrogate pair in a text', 'POST', '/v1/messages', { text: { en: 'a\ud800b' }, audience: { all: true } }],
])('%s, which the database does not take, is refused as the mistake it is', async (_, method, path, change) => {
  const answer = await fetch(`${serving.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, ...(change ? { 'content-type': 'application/json' } : {}) },
    ...(change ? { body: JSON.stringify({ class: 'ops', text: { en: 'Hello' }, channels: ['sms'], ...change }) } : {}),
  });
  expect(answer.status).toBe(422);
  expect(await answer.json()).toMatchObject({ code: 'unstorable_text' });
});
