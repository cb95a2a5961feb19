import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { Recall } from '#domain/delivery/recall.ts';
import { makeCertificate, trust } from '#testing/certificate.ts';
import { startHttp, startTcp } from '#testing/loopback.ts';
import { HttpPool, type HttpPoolOptions } from './pool.ts';

// What a carrier's misbehaviour means for a message is in contract.test.ts.

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function poolFor(port: number, change: Partial<HttpPoolOptions> = {}): HttpPool {
  const pool = new HttpPool({ origin: `http://127.0.0.1:${port}`, connections: 2, deadlineMs: 2_000, keepAliveMs: 10_000, maxReplyBytes: 4_096, ...change });
  closers.push(() => pool.close());
  return pool;
}

const post = (body = 'x'): string => `POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

async function tcp(onRequest: (socket: Socket, count: number) => void) {
  const closed: Socket[] = [];
  let connections = 0;
  let count = 0;
  const server = await startTcp((socket) => {
    connections++;
    socket.on('data', () => onRequest(socket, ++count));
    socket.on('close', () => closed.push(socket));
  });
  closers.push(() => server.close());
  return { port: server.port, closed, connections: () => connections };
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('answers that come in pieces, over few connections, each to its own request', async () => {
  const server = await startHttp((request, response) => {
    response.write(request.body);
    setImmediate(() => response.end('!'));
  });
  closers.push(() => server.close());
  const pool = poolFor(server.port, { connections: 4 });
  const bodies = Array.from({ length: 2_500 }, (_, i) => `body ${i}`);
  const replies = await Promise.all(bodies.map((body) => pool.send(post(body))));
  expect(replies.map((one) => one.kind === 'reply' && one.body)).toEqual(bodies.map((body) => `${body}!`));
  expect(server.connections()).toBe(4);
});

test('a connection is closed when it has been idle, and sooner if the server says so', async () => {
  const patient = await tcp((socket) => socket.write(ok));
  const hasty = await tcp((socket) => socket.write(ok.replace('\r\n\r\n', '\r\nKeep-Alive: timeout=1, max=5\r\n\r\n')));
  const started = performance.now();
  await poolFor(patient.port, { keepAliveMs: 250 }).send(post());
  await poolFor(hasty.port).send(post());
  await expect.poll(() => hasty.closed.length).toBe(1);
  await expect.poll(() => patient.closed.length).toBe(1);
  expect(performance.now() - started).toBeGreaterThan(240);
});

test('a connection that the server closed while idle is not used again', async () => {
  const { port, closed, connections } = await tcp((socket, count) => {
    socket.write(ok);
    if (count === 1) setImmediate(() => socket.end());
  });
  const pool = poolFor(port);
  await pool.send(post());
  await expect.poll(() => closed.length).toBe(1);
  expect(await pool.send(post())).toMatchObject({ kind: 'reply', status: 200 });
  expect(connections()).toBe(2);
});

test('words that nobody asked for end an idle connection, and are nobody’s answer', async () => {
  const { port, closed } = await tcp((socket, count) => {
    socket.write(count === 1 ? ok : ok.replace('200', '201'));
    if (count === 1) setTimeout(() => socket.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n'), 20);
  });
  const pool = poolFor(port);
  await pool.send(post());
  await expect.poll(() => closed.length).toBe(1);
  expect(await pool.send(post())).toMatchObject({ kind: 'reply', status: 201 });
});

test('line ends behind an answer mean nothing, in the same packet and in one of their own', async () => {
  const { port, closed, connections } = await tcp((socket, count) => {
    socket.write(`${ok}\r\n`);
    if (count === 2) setImmediate(() => socket.write('\r\n\n', () => spoken.resolve()));
  });
  const spoken = Promise.withResolvers<void>();
  const pool = poolFor(port);
  for (let i = 0; i < 2; i++) expect(await pool.send(post())).toMatchObject({ kind: 'reply', status: 200, body: 'ok' });
  await spoken.promise;
  for (let i = 0; i < 2; i++) expect(await pool.send(post())).toMatchObject({ kind: 'reply', status: 200, body: 'ok' });
  expect([connections(), closed.length]).toEqual([1, 0]);
});

test('two answers at once: the second is not taken for the next request’s', async () => {
  const { port, connections } = await tcp((socket, count) => socket.write(count === 1 ? ok + ok.replace('200', '500') : ok));
  const pool = poolFor(port, { connections: 1 });
  const replies = await Promise.all([pool.send(post()), pool.send(post())]);
  expect(replies.map((one) => one.kind === 'reply' && one.status)).toEqual([200, 200]);
  expect(connections()).toBe(2);
});

test('an answer that is none leaves the call in doubt', async () => {
  const { port } = await tcp((socket) => socket.write('220 mail.example.org ESMTP\r\n\r\n'));
  expect(await poolFor(port).send(post())).toEqual({ kind: 'failure', written: true, code: 'EPROTOCOL' });
});

test('an answer that can become none is not waited for until the deadline', async () => {
  for (const words of ['HTTP/1.1 201 Created\nContent-Length: 2\n\nok', '220 mail.example.org ESMTP\r\n', 'HTTP/1.1 201 Created\r\nA : b\r\n']) {
    const { port } = await tcp((socket) => socket.write(words));
    expect(await poolFor(port, { deadlineMs: 60_000 }).send(post()), words).toEqual({ kind: 'failure', written: true, code: 'EPROTOCOL' });
  }
});

test('an answer without a length ends with its connection', async () => {
  const { port } = await tcp((socket) => socket.end('HTTP/1.1 201 Created\r\n\r\nall of it'));
  expect(await poolFor(port).send(post())).toMatchObject({ kind: 'reply', status: 201, body: 'all of it' });
});

test('a status line is the verdict, although the deadline passes within the body', async () => {
  const { port, closed } = await tcp((socket) => socket.write('HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\nhalf'));
  expect(await poolFor(port, { deadlineMs: 200 }).send(post())).toMatchObject({ kind: 'reply', status: 201, body: 'half' });
  await expect.poll(() => closed.length).toBe(1);
});

test('a server that cuts every connection at once fails the calls of now and serves those of later', async () => {
  let open = false;
  const server = await startTcp((socket) => {
    if (open) socket.on('data', () => socket.write(ok));
    else socket.resetAndDestroy();
  });
  const { port } = server;
  closers.push(() => server.close());
  const pool = poolFor(port);
  // Connected and cut before or after the request was written: refused or in doubt, never lost.
  const early = await Promise.all([1, 2, 3, 4, 5].map(() => pool.send(post())));
  expect(early.map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => 'failure'));
  open = true;
  expect(await pool.send(post())).toMatchObject({ kind: 'reply', status: 200 });
});

test('calls taken back while they wait leave nothing on the wire, and those behind them go on', async () => {
  const held: Socket[] = [];
  const { port } = await tcp((socket) => held.push(socket));
  const pool = poolFor(port, { connections: 1 });
  const recall = new Recall();
  const begun = pool.send(post(), recall);
  await expect.poll(() => held.length).toBe(1);
  const waiting = [pool.send(post(), recall), pool.send(post(), recall)];
  const other = pool.send(post());
  recall.recall();
  for (const one of waiting) expect(await one).toEqual({ kind: 'failure', written: false, code: 'not_called' });
  expect(await pool.send(post(), recall)).toEqual({ kind: 'failure', written: false, code: 'not_called' });
  held[0]?.write(ok);
  expect(await begun).toMatchObject({ kind: 'reply', status: 200 });
  await expect.poll(() => held.length).toBe(2);
  held[1]?.write(ok);
  expect(await other).toMatchObject({ kind: 'reply', status: 200 });
});

test('a connection that is never made is given up, and the next one is tried', async () => {
  let silent = true;
  const server = await startTcp((socket) => {
    if (!silent) socket.end('no TLS here');
  });
  closers.push(() => server.close());
  const pool = poolFor(0, { origin: `https://localhost:${server.port}`, connections: 1, deadlineMs: 300 });
  const early = [pool.send(post()), pool.send(post())];
  expect((await Promise.all(early)).map((one) => one.kind === 'failure' && one.written)).toEqual([false, false]);
  silent = false;
  await expect.poll(() => pool.send(post())).toMatchObject({ kind: 'failure', written: false, code: 'ERR_SSL_WRONG_VERSION_NUMBER' });
});

test('a pool that finishes makes the calls that it has, no others, and closes its connections', async () => {
  const held: Socket[] = [];
  const { port, closed } = await tcp((socket) => held.push(socket));
  const pool = poolFor(port, { connections: 1 });
  const calls = [pool.send(post()), pool.send(post())];
  await expect.poll(() => held.length).toBe(1);
  pool.finish();
  expect(await pool.send(post())).toEqual({ kind: 'failure', written: false, code: 'CLOSED' });
  held[0]?.write(ok);
  await expect.poll(() => held.length).toBe(2);
  held[1]?.write(ok);
  expect((await Promise.all(calls)).map(({ kind }) => kind)).toEqual(['reply', 'reply']);
  await expect.poll(() => closed.length).toBe(1);
});

test('closing ends what is under way in doubt and what waits unwritten', async () => {
  const held: Socket[] = [];
  const { port, closed } = await tcp((socket) => held.push(socket));
  const pool = poolFor(port, { connections: 1 });
  const calls = [pool.send(post()), pool.send(post())];
  await expect.poll(() => held.length).toBe(1);
  pool.close();
  expect(await Promise.all(calls)).toEqual([
    { kind: 'failure', written: true, code: 'CLOSED' },
    { kind: 'failure', written: false, code: 'CLOSED' },
  ]);
  expect(await pool.send(post())).toEqual({ kind: 'failure', written: false, code: 'CLOSED' });
  await expect.poll(() => closed.length).toBe(1);
});

const certificate = makeCertificate();

test.skipIf(certificate === undefined)('over TLS: an unknown certificate is refused, a known one taken, and later handshakes resume the session', async () => {
  const resumed: boolean[] = [];
  const server = createServer({ ...certificate, ALPNProtocols: ['http/1.1'] }, (socket) => {
    resumed.push(socket.isSessionReused());
    socket.on('error', () => {});
    socket.on('data', () => socket.end(ok.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')));
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(() => void server.close());
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
  expect(await poolFor(0, { origin }).send(post())).toMatchObject({ kind: 'failure', written: false, code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  closers.push(trust(certificate?.cert ?? ''));
  const pool = poolFor(0, { origin, connections: 1 });
  for (let i = 0; i < 3; i++) expect(await pool.send(post())).toMatchObject({ kind: 'reply', status: 200, body: 'ok' });
  expect(resumed).toEqual([false, true, true]);
});
