import type { Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { startTcp } from '#testing/loopback.ts';
import { type ConnectionOptions, HttpConnection } from './connection.ts';

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const close of closers.splice(0).toReversed()) await close();
});

async function server(onSocket: (socket: Socket) => void) {
  const { port, close } = await startTcp(onSocket);
  closers.push(close);
  return port;
}

/** A connection, when it is free the first time or gone, and when it is gone. */
function connect(url: string, change: Partial<ConnectionOptions> = {}) {
  const free = Promise.withResolvers<HttpConnection>();
  const gone = Promise.withResolvers<string | undefined>();
  const connection = new HttpConnection(
    { url: new URL(url), maxReplyBytes: 4_096, keepAliveMs: 5_000, resume: { session: undefined }, ...change },
    { free: free.resolve, gone: (_one, unmade) => gone.resolve(unmade) },
  );
  closers.push(() => connection.end('CLOSED'));
  return { free: free.promise, gone: gone.promise };
}

test('a peer that takes the connection and never shakes hands is given up, so that its place is free', async () => {
  const port = await server(() => {});
  expect(await connect(`https://127.0.0.1:${port}`, { connectMs: 100 }).gone).toBe('ETIMEDOUT');
});

test('the time for connecting is over once it is made', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const port = await server((socket) => socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')));
  const { free, gone } = connect(`http://127.0.0.1:${port}`, { connectMs: 100 });
  const connection = await free;
  vi.advanceTimersByTime(200);
  const answered = Promise.withResolvers<number>();
  connection.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n', { answered: answered.resolve, failed: answered.reject });
  expect(await answered.promise).toBe(200);
  connection.end('CLOSED');
  expect(await gone).toBeUndefined();
});

test('a server that would wait for an hour is not left alone for more than a minute', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const port = await server((socket) => socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3600\r\nContent-Length: 0\r\n\r\n')));
  const { free, gone } = connect(`http://127.0.0.1:${port}`);
  const connection = await free;
  const answered = Promise.withResolvers<number>();
  connection.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n', { answered: answered.resolve, failed: answered.reject });
  await answered.promise;
  connection.rest();
  let ended = false;
  void gone.then(() => (ended = true));
  await vi.advanceTimersByTimeAsync(50_000);
  expect(ended).toBe(false);
  await vi.advanceTimersByTimeAsync(11_000);
  expect(ended).toBe(true);
});
