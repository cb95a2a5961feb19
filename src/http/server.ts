import { createAdaptorServer } from '@hono/node-server';
import type { Server } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** Headers that come slowly are an attack; bodies that come slowly are limited by their size. */
const HEADERS_TIMEOUT_MS = 15_000;
/** An import of 100 MB over a slow connection takes minutes. */
const REQUEST_TIMEOUT_MS = 15 * 60_000;
/** It is longer than the 60 s of a load balancer, which would otherwise send into a connection that is being closed. */
const KEEP_ALIVE_MS = 65_000;
const IDLE_POLL_MS = 50;

export interface ServeOptions {
  port: number;
  host: string;
  /** Ends what would never end by itself, such as event streams. It is called as soon as closing begins. */
  endStreams?: () => Promise<void>;
}

export interface Serving {
  /** The address at which it listens: `http://host:port`, with the port that was given out for 0. */
  readonly url: string;
  /**
   * Takes no new connections, ends streams, lets running requests finish for up to `deadlineMs` and then cuts the rest.
   * @returns how many connections were cut
   */
  close(deadlineMs?: number): Promise<number>;
}

/** Listens for HTTP. It rejects when the address cannot be had. */
export async function serve(app: { fetch: Parameters<typeof createAdaptorServer>[0]['fetch'] }, { port, host, endStreams }: ServeOptions): Promise<Serving> {
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: 16 * 1024 },
  }) as Server;
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      done();
    });
  });
  const address = server.address();
  const boundPort = typeof address === 'object' && address ? address.port : port;
  let closing: Promise<number> | undefined;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${boundPort}`,
    close: (deadlineMs = 10_000) => (closing ??= close(server, deadlineMs, endStreams)),
  };
}

async function close(server: Server, deadlineMs: number, endStreams: (() => Promise<void>) | undefined): Promise<number> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  await endStreams?.();
  const ended = new AbortController();
  // A keep-alive connection becomes idle only when its answer is out, so it is looked for again and again.
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_POLL_MS);
  server.closeIdleConnections();
  const late = await Promise.race([closed.then(() => false), delay(deadlineMs, true, { signal: ended.signal }).catch(() => false)]);
  ended.abort();
  clearInterval(sweep);
  if (!late) return 0;
  const cut = await new Promise<number>((done) => server.getConnections((_, count) => done(count)));
  server.closeAllConnections();
  await closed;
  return cut;
}
