import { Pool } from 'undici';
import { type HttpFailure, type HttpReply, post } from '#channels/call.ts';
import { PICKED_H2 } from '#channels/http/connection.ts';
import { HttpPool } from '#channels/http/pool.ts';
import type { Recall } from '#domain/delivery/recall.ts';
import { monotonicMs } from '#platform/clock.ts';
import { CONNECTIONS_PER_ORIGIN, KEEP_ALIVE_MS, MAX_REPLY_BYTES } from './constants.ts';
import { publicLookup, type Resolve } from './public-lookup.ts';

/** Header fields that are the same for everybody whom a message goes to. */
export interface PushFields {
  readonly record: Readonly<Record<string, string>>;
  /** The same fields as lines of HTTP/1.1, each with its end. */
  readonly lines: string;
}

export interface PushRequest {
  readonly fields: PushFields;
  /** Path and query in the form that goes over the wire: ASCII, without spaces. */
  readonly path: string;
  readonly authorization: string;
  readonly body: Buffer;
  readonly recall: Recall | undefined;
}

export interface PushOriginOptions {
  /** Milliseconds for everything together: waiting for a connection, connecting, writing and reading. */
  readonly deadlineMs: number;
  /** Whether the operator named this origin in full, so that its address is not checked. */
  readonly trusted: boolean;
  readonly resolve: Resolve | undefined;
}

const CLOSED: HttpFailure = { kind: 'failure', written: false, code: 'CLOSED' };

export function pushFields(record: Readonly<Record<string, string>>): PushFields {
  let lines = '';
  for (const [name, value] of Object.entries(record)) {
    if (!/^[!-~]+$/.test(value)) throw new TypeError(`${name} cannot be sent: ${JSON.stringify(value)}`);
    lines += `${name}: ${value}\r\n`;
  }
  return { record, lines };
}

/**
 * One push service. Our own connections serve it over HTTP/1.1. Once its TLS picks HTTP/2 (RFC 7301), as the services of the
 * browsers' makers do, undici serves it: there one connection carries a hundred requests, so that a service far away needs few.
 */
export class PushOrigin {
  readonly #url: URL;
  readonly #options: PushOriginOptions;
  readonly #http1: HttpPool;
  #http2: Pool | undefined;
  #closed = false;

  constructor(origin: string, options: PushOriginOptions) {
    this.#url = new URL(origin);
    this.#options = options;
    this.#http1 = new HttpPool({
      origin,
      connections: CONNECTIONS_PER_ORIGIN,
      deadlineMs: options.deadlineMs,
      keepAliveMs: KEEP_ALIVE_MS,
      maxReplyBytes: MAX_REPLY_BYTES,
      offerH2: true,
      ...this.#lookup(),
    });
  }

  get trusted(): boolean {
    return this.#options.trusted;
  }

  /** Sends one push. It never rejects, and redirects are answers like any other. */
  async post(request: PushRequest): Promise<HttpReply | HttpFailure> {
    const { deadlineMs } = this.#options;
    if (this.#http2) return this.#overHttp2(request, deadlineMs);
    const from = monotonicMs();
    const { path, authorization, fields, body, recall } = request;
    const head = `POST ${path} HTTP/1.1\r\nHost: ${this.#url.host}\r\nauthorization: ${authorization}\r\n${fields.lines}content-length: ${body.length}\r\n\r\n`;
    const reply = await this.#http1.send(head + body.toString('latin1'), recall);
    if (reply.kind === 'reply' || reply.code !== PICKED_H2) return reply;
    // The service picked HTTP/2 before anything of the request was written.
    return this.#overHttp2(request, deadlineMs - (monotonicMs() - from));
  }

  #overHttp2({ path, fields, authorization, body, recall }: PushRequest, deadlineMs: number): Promise<HttpReply | HttpFailure> {
    if (this.#closed) return Promise.resolve(CLOSED);
    this.#http2 ??= new Pool(this.#url.origin, {
      connections: CONNECTIONS_PER_ORIGIN,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: { timeout: this.#options.deadlineMs, ...this.#lookup() },
    });
    return post(this.#http2, { path, headers: { ...fields.record, authorization }, body, deadlineMs, maxReplyBytes: MAX_REPLY_BYTES, recall });
  }

  #lookup(): { lookup?: ReturnType<typeof publicLookup> } {
    return this.#options.trusted ? {} : { lookup: publicLookup(this.#options.resolve) };
  }

  /** Takes no more requests, and finishes those that it has. */
  finish(): void {
    this.#closed = true;
    this.#http1.finish();
    // Nobody is left who could be told that it did not close.
    this.#http2?.close().catch(() => {});
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#http1.close();
    await this.#http2?.destroy();
  }
}
