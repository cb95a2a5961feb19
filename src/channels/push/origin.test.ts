import { once } from 'node:events';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Recall } from '#domain/delivery/recall.ts';
import { makeCertificate, trust } from '#testing/certificate.ts';
import { startTcp } from '#testing/loopback.ts';
import { PushOrigin, type PushOriginOptions, pushFields, type PushRequest } from './origin.ts';

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

type Protocol = 'http/1.1' | 'h2';
type Answer = (request: Http2ServerRequest, response: Http2ServerResponse) => void;
const taken: Answer = (_request, response) => void response.writeHead(201, { location: '/m/1' }).end();

const certificate = makeCertificate();

function originFor(url: string, change: Partial<PushOriginOptions> = {}): PushOrigin {
  const origin = new PushOrigin(url, { deadlineMs: 2_000, trusted: true, resolve: undefined, ...change });
  closers.push(() => origin.close());
  return origin;
}

/** A push service over TLS that speaks what it is told to. */
async function service(first: Protocol, answer: Answer = taken, believed = true) {
  const connections: { protocol: Protocol; socket: Socket }[] = [];
  const seen: { protocol: Protocol; path: string; headers: Http2ServerRequest['headers']; bytes: Buffer }[] = [];
  let speaks = first;
  const server = createSecureServer({ ...certificate, allowHTTP1: true, ALPNCallback: () => speaks }, (request, response) => {
    const parts: Buffer[] = [];
    response.on('error', () => {});
    request.on('error', () => {});
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const protocol = request.httpVersionMajor === 2 ? 'h2' : 'http/1.1';
      seen.push({ protocol, path: request.url, headers: request.headers, bytes: Buffer.concat(parts) });
      answer(request, response);
    });
  });
  server.on('secureConnection', (socket) => connections.push({ protocol: socket.alpnProtocol as Protocol, socket }));
  server.on('sessionError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(
    () => void server.close(),
    () => connections.forEach(({ socket }) => socket.destroy()),
    believed ? trust(certificate?.cert ?? '') : () => undefined,
  );
  const url = `https://localhost:${(server.address() as AddressInfo).port}`;
  const speak = (protocol: Protocol): void => {
    speaks = protocol;
  };
  return { url, origin: originFor(url), connections, seen, speak };
}

const fields = pushFields({ 'content-encoding': 'aes128gcm', ttl: '60' });
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const request = (path: string, change: Partial<PushRequest> = {}): PushRequest => ({
  fields,
  path,
  authorization: 'vapid t=a, k=b',
  body: everyByte,
  recall: undefined,
  ...change,
});

describe.skipIf(certificate === undefined).each(['http/1.1', 'h2'] as const)('a service that picks %s', (protocol) => {
  test('gets each request of a crowd once, and every byte of it', async () => {
    const { origin, seen, connections, url } = await service(protocol);
    const paths = Array.from({ length: 300 }, (_, i) => `/p/${i}?token=a%3d`);
    const replies = await Promise.all(paths.map((path) => origin.post(request(path))));
    expect(new Set(replies.map((one) => one.kind === 'reply' && `${one.status} ${String(one.headers.location)}`))).toEqual(new Set(['201 /m/1']));
    expect(seen.map(({ path }) => path).toSorted()).toEqual(paths.toSorted());
    expect(new Set(seen.map((one) => one.protocol))).toEqual(new Set([protocol]));
    for (const { bytes } of seen) expect(bytes.equals(everyByte)).toBe(true);
    expect(seen[0]?.headers).toMatchObject({ authorization: 'vapid t=a, k=b', 'content-encoding': 'aes128gcm', ttl: '60', 'content-length': '256' });
    expect(seen[0]?.headers.host ?? seen[0]?.headers[':authority']).toBe(new URL(url).host);
    expect(connections.length).toBeLessThanOrEqual(protocol === 'h2' ? 5 : 32);
  });

  test('is heard: status, Retry-After, and of a long answer the beginning', async () => {
    const { origin } = await service(protocol, ({ url }, response) => {
      if (url === '/gone') response.writeHead(410).end();
      else if (url === '/busy') response.writeHead(429, { 'retry-after': '7' }).end('slow down');
      else response.writeHead(201).end(Buffer.alloc(1_000_000, 'x'));
    });
    expect(await origin.post(request('/gone'))).toMatchObject({ kind: 'reply', status: 410 });
    expect(await origin.post(request('/busy'))).toMatchObject({ kind: 'reply', status: 429, headers: { 'retry-after': '7' }, body: 'slow down' });
    expect(await origin.post(request('/long'))).toMatchObject({ kind: 'reply', status: 201, body: 'x'.repeat(4_096) });
    expect(await origin.post(request('/gone'))).toMatchObject({ kind: 'reply', status: 410 });
  });

  test('and falls silent, or cuts the line: in doubt, and not asked again', async () => {
    const { url, seen } = await service(protocol, ({ url: path, stream, socket }, response) => {
      if (path === '/fine') response.writeHead(201).end();
      if (path === '/cut' && protocol === 'h2') stream.session?.destroy();
      else if (path === '/cut') socket.destroy();
    });
    const origin = originFor(url, { deadlineMs: 400 });
    expect(await origin.post(request('/silent'))).toEqual({ kind: 'failure', written: true, code: 'DEADLINE' });
    expect(await origin.post(request('/cut'))).toMatchObject({ kind: 'failure', written: true });
    expect(await origin.post(request('/fine'))).toMatchObject({ kind: 'reply', status: 201 });
    expect(seen.map(({ path }) => path)).toEqual(['/silent', '/cut', '/fine']);
  });

  test('gets nothing of what is taken back before a connection is made', async () => {
    const { origin, seen } = await service(protocol);
    const recall = new Recall();
    const calls = Array.from({ length: 50 }, (_, i) => origin.post(request(`/${i}`, { recall })));
    const other = origin.post(request('/other'));
    recall.recall();
    for (const one of await Promise.all(calls)) expect(one).toEqual({ kind: 'failure', written: false, code: 'not_called' });
    expect(await other).toMatchObject({ kind: 'reply', status: 201 });
    expect(await origin.post(request('/late', { recall }))).toEqual({ kind: 'failure', written: false, code: 'not_called' });
    expect(seen.map(({ path }) => path)).toEqual(['/other']);
  });

  test('and is not who it says: nothing is written', async () => {
    const { origin, seen } = await service(protocol, taken, false);
    const replies = await Promise.all([1, 2, 3].map(() => origin.post(request('/'))));
    for (const one of replies) expect(one).toMatchObject({ kind: 'failure', written: false });
    expect(seen).toEqual([]);
  });

  test('under a name that leads inside is not connected to', async () => {
    const { url, connections } = await service(protocol);
    const origin = originFor(url, { trusted: false, resolve: (_host, done) => done(null, [{ address: '127.0.0.1', family: 4 }]) });
    const replies = await Promise.all([1, 2, 3].map(() => origin.post(request('/'))));
    for (const one of replies) expect(one).toEqual({ kind: 'failure', written: false, code: 'EPRIVATE' });
    expect(connections).toEqual([]);
  });
});

describe.skipIf(certificate === undefined)('a service that changes', () => {
  test('to HTTP/2 answers on the old connection what was asked there, and the rest on the new one', async () => {
    const held: Http2ServerResponse[] = [];
    const { origin, seen, speak, connections } = await service('http/1.1', (_request, response) => void held.push(response));
    const first = origin.post(request('/0'));
    await expect.poll(() => held.length).toBe(1);
    speak('h2');
    const others = Array.from({ length: 40 }, (_, i) => origin.post(request(`/${i + 1}`)));
    await expect.poll(() => held.length).toBe(41);
    for (const response of held) response.writeHead(201).end();
    expect((await Promise.all([first, ...others])).every((one) => one.kind === 'reply' && one.status === 201)).toBe(true);
    expect(seen.map(({ path }) => path).toSorted()).toEqual(Array.from({ length: 41 }, (_, i) => `/${i}`).toSorted());
    expect(seen.map((one) => one.protocol)).toEqual(['http/1.1', ...Array.from({ length: 40 }, () => 'h2')]);
    // What was left over of the old protocol is closed.
    await expect.poll(() => connections.filter((one) => one.protocol === 'http/1.1' && !one.socket.destroyed)).toEqual([]);
  });

  test('from HTTP/2 is served all the same', async () => {
    const { origin, seen, speak, connections } = await service('h2');
    await origin.post(request('/h2'));
    speak('http/1.1');
    for (const { socket } of connections) socket.destroy();
    await expect.poll(() => origin.post(request('/later'))).toMatchObject({ kind: 'reply', status: 201 });
    expect(seen.at(-1)).toMatchObject({ protocol: 'http/1.1', path: '/later' });
  });
});

test('the deadline holds for the handshake and for everybody who waits for it', async () => {
  const sockets: Socket[] = [];
  const server = await startTcp((socket) => sockets.push(socket));
  closers.push(() => server.close());
  const origin = originFor(`https://localhost:${server.port}`, { deadlineMs: 300 });
  const started = performance.now();
  const replies = await Promise.all(Array.from({ length: 100 }, () => origin.post(request('/'))));
  expect(performance.now() - started).toBeLessThan(1_500);
  for (const one of replies) expect(one).toMatchObject({ kind: 'failure', written: false });
  expect(sockets.length).toBe(1);
});

test('a field that would begin another line is refused', () => {
  expect(() => pushFields({ topic: 'a\r\nhost: b' })).toThrow(TypeError);
  expect(() => pushFields({ topic: '' })).toThrow(TypeError);
});
