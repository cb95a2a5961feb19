import { createSecureServer, type Http2SecureServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import tlsOptions from 'smtp-server/lib/tls-options';
import { Pool } from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { type CallRequest, post, retryAfterMs } from './call.ts';

// The outcomes over HTTP/1.1 are in contract.test.ts; push services mostly speak HTTP/2.

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** smtp-server's published certificate for localhost: good enough for a client that does not look. */
const { key, cert } = tlsOptions();

interface Seen {
  readonly path: string;
  readonly session: object;
}

async function service(answer: (stream: ServerHttp2Stream, path: string) => void): Promise<{ pool: Pool; seen: Seen[]; server: Http2SecureServer }> {
  const seen: Seen[] = [];
  const server = createSecureServer({ key, cert });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    const path = String(headers[':path']);
    seen.push({ path, session: stream.session ?? {} });
    stream.on('error', () => {});
    stream.resume().on('end', () => answer(stream, path));
  });
  await new Promise<void>((ready) => void server.listen(0, '127.0.0.1', ready));
  const pool = new Pool(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, { connections: 1, connect: { rejectUnauthorized: false } });
  closers.push(
    () => void server.close(),
    () => pool.destroy(),
  );
  return { pool, seen, server };
}

const request = (path: string, change: Partial<CallRequest> = {}): CallRequest => ({
  path,
  headers: { 'content-type': 'application/octet-stream' },
  body: Buffer.alloc(500),
  deadlineMs: 2_000,
  maxReplyBytes: 4_096,
  ...change,
});

const reply = (stream: ServerHttp2Stream, status: number, headers = {}): void => {
  stream.respond({ ':status': status, ...headers });
  stream.end('x');
};

describe('over HTTP/2', () => {
  test('a hundred requests share one connection and each gets its own answer', async () => {
    const { pool, seen } = await service((stream, path) => reply(stream, path.endsWith('7') ? 410 : 201, { 'retry-after': path.slice(1) }));
    const paths = Array.from({ length: 100 }, (_, i) => `/${i}`);
    const results = await Promise.all(paths.map((path) => post(pool, request(path))));
    expect(results.map((one) => one.kind === 'reply' && [one.status, one.headers['retry-after']])).toEqual(
      paths.map((path) => [path.endsWith('7') ? 410 : 201, path.slice(1)]),
    );
    expect(new Set(seen.map(({ session }) => session)).size).toBe(1);
  });

  test('a stream that is never answered ends at the deadline, alone', async () => {
    const { pool } = await service((stream, path) => {
      if (path !== '/silent') reply(stream, 201);
    });
    const [silent, fine] = await Promise.all([post(pool, request('/silent', { deadlineMs: 300 })), post(pool, request('/fine'))]);
    expect(silent).toEqual({ kind: 'failure', written: true, code: 'DEADLINE' });
    expect(fine).toMatchObject({ kind: 'reply', status: 201 });
    expect(await post(pool, request('/next'))).toMatchObject({ kind: 'reply', status: 201 });
  });

  test('a reset stream is in doubt', async () => {
    const { pool } = await service((stream) => stream.close(2));
    expect(await post(pool, request('/reset'))).toMatchObject({ kind: 'failure', written: true });
  });

  test('a connection that breaks leaves all of its requests in doubt, none repeated', async () => {
    let arrived = 0;
    const { pool, seen } = await service((stream) => {
      if (++arrived === 10) stream.session?.destroy();
    });
    const paths = Array.from({ length: 10 }, (_, i) => `/${i}`);
    const results = await Promise.all(paths.map((path) => post(pool, request(path))));
    expect(results.map((one) => one.kind === 'failure' && one.written)).toEqual(paths.map(() => true));
    expect(seen.map(({ path }) => path).toSorted()).toEqual(paths);
  });

  test('an endless answer is cut', async () => {
    const { pool } = await service((stream) => {
      stream.respond({ ':status': 201 });
      const more = (): void => {
        while (!stream.destroyed && stream.write(Buffer.alloc(16_384)));
        if (!stream.destroyed) stream.once('drain', more);
      };
      more();
    });
    expect(await post(pool, request('/endless'))).toMatchObject({ kind: 'reply', status: 201, body: '\0'.repeat(4_096) });
  });
});

test('a request that undici itself refuses was not written', async () => {
  const pool = new Pool('http://127.0.0.1:1');
  closers.push(() => pool.destroy());
  expect(await post(pool, request('no slash'))).toMatchObject({ kind: 'failure', written: false });
  expect(await post(pool, request('/', { headers: { 'x-bad': 'a\r\nb: c' } }))).toMatchObject({ kind: 'failure', written: false });
});

test.each([
  ['7', 7_000],
  [' 7 ', 7_000],
  ['0', 0],
  ['-7', 1_000],
  ['', 1_000],
  [undefined, 1_000],
  ['soon', 1_000],
  ['Wed, 21 Oct 2015 07:28:05 GMT', 5_000],
  ['Wed, 21 Oct 2015 07:00:00 GMT', 0],
  ['99999999999999999999', 3_600_000],
])('Retry-After %j', (value, expected) => {
  expect(retryAfterMs(value, Date.parse('2015-10-21T07:28:00Z'), 1_000)).toBe(expected);
});
