import type { ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { startHttp } from '#testing/loopback.ts';
import { MAX_ORIGINS } from './constants.ts';
import { pushFields, type PushRequest } from './origin.ts';
import { PushOrigins } from './origins.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const request: PushRequest = { fields: pushFields({ ttl: '1' }), path: '/', authorization: 'vapid t=a, k=b', body: Buffer.from('x'), recall: undefined };

/** A push service that answers when told to, and how many connections it has open. */
async function service() {
  const held: ServerResponse[] = [];
  let open = 0;
  const server = await startHttp((_request, response) => {
    open++;
    response.socket?.once('close', () => open--);
    held.push(response);
  });
  closers.push(() => server.close());
  return { url: `http://127.0.0.1:${server.port}`, held, open: () => open };
}

test('of too many origins the one longest unused is closed, behind what was asked of it', async () => {
  const origins = new PushOrigins({ deadlineMs: 5_000, resolve: undefined });
  closers.push(() => origins.close());
  const services = await Promise.all(Array.from({ length: MAX_ORIGINS + 1 }, service));
  const [first, second, ...rest] = services;
  if (!first || !second) throw new Error('too few');
  const calls = services.slice(0, MAX_ORIGINS).map(({ url }) => origins.open(url, true).post(request));
  await expect.poll(() => services.filter(({ held }) => held.length === 1).length).toBe(MAX_ORIGINS);
  // Whoever is used again is the youngest.
  const kept = origins.known(first.url);
  expect(origins.open(first.url, true)).toBe(kept);
  const evicted = origins.open(second.url, true);
  origins.known(first.url);
  for (const { url } of rest.slice(0, -1)) origins.known(url);
  const last = origins.open(rest.at(-1)?.url ?? '', true).post(request);
  expect(origins.known(first.url)).toBe(kept);
  expect(origins.known(second.url)).toBeUndefined();
  expect(await evicted.post(request)).toEqual({ kind: 'failure', written: false, code: 'CLOSED' });
  await expect.poll(() => rest.at(-1)?.held.length).toBe(1);
  for (const { held } of services) held[0]?.writeHead(201).end();
  for (const one of await Promise.all([...calls, last])) expect(one).toMatchObject({ kind: 'reply', status: 201 });
  await expect.poll(() => second.open()).toBe(0);
  expect(first.open()).toBe(1);
});
