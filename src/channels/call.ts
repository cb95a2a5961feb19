import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Outcome } from '#domain/delivery/outcome.ts';
import type { Recall } from '#domain/delivery/recall.ts';

/** An answer with a status line. A body that was cut short is kept as far as it came, since the status line alone is the verdict. */
export interface HttpReply {
  readonly kind: 'reply';
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * No answer came. `written`: the request was handed to a socket, so it may have been accepted.
 *
 * Handing over is the only border that can be proven. A request of ours is under 5 KB and leaves in one write, so the
 * kernel takes all of it or the connection is already dead; whether the peer read it cannot be known from here.
 */
export interface HttpFailure {
  readonly kind: 'failure';
  readonly written: boolean;
  readonly code: string;
}

export interface CallRequest {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string | Buffer;
  /** Milliseconds for everything: waiting for a connection, connecting, writing, reading. */
  readonly deadlineMs: number;
  /** How many bytes of the answer are kept. A longer answer is cut and its connection closed. */
  readonly maxReplyBytes: number;
  /** Is asked when the request is about to be written. */
  readonly recall?: Recall | undefined;
}

/** The code of a call that was taken back before anything of it was handed to a socket. */
export const NOT_CALLED = 'not_called';

/** What a call without an answer means, unless its channel knows better. */
export const failureOutcome = ({ written, code }: Pick<HttpFailure, 'written' | 'code'>): Outcome =>
  code === NOT_CALLED && !written ? { kind: 'not_called', code: NOT_CALLED } : { kind: written ? 'unknown' : 'retryable', code };

const errorCode = (error: unknown): string => {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : typeof name === 'string' ? name : 'ERROR';
};

class Call implements Dispatcher.DispatchHandler {
  readonly #request: CallRequest;
  readonly #settle: (result: HttpReply | HttpFailure) => void;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(request: CallRequest, settle: (result: HttpReply | HttpFailure) => void) {
    this.#request = request;
    this.#settle = settle;
    this.#timer = setTimeout(() => this.#stop('DEADLINE'), request.deadlineMs);
    request.recall?.add(this);
  }

  /** Ends a call that has not begun. The pool refuses it when its turn comes, since it is settled already. */
  takeBack(): void {
    if (this.#controller === undefined) this.fail(NOT_CALLED);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // It was reported already: the deadline passed in the queue.
    if (this.#settled) {
      controller.abort(new Error('too late'));
      return;
    }
    // This happens a second time only where HTTP/2 proves that the first request was not processed (RFC 9113 section 8.7).
    this.#controller = controller;
    this.#request.recall?.remove(this);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes <= this.#request.maxReplyBytes) return;
    this.#finish();
    controller.abort(new Error('answer too long'));
  }

  onResponseEnd(): void {
    this.#finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(errorCode(error));
  }

  /** Ends the call with a failure. It is called too when `dispatch` itself throws. */
  fail(code: string): void {
    if (this.#status !== 0) this.#finish();
    else this.#done({ kind: 'failure', written: this.#controller !== undefined, code });
  }

  #stop(code: string): void {
    const controller = this.#controller;
    this.fail(code);
    controller?.abort(new Error(code));
  }

  #finish(): void {
    const body = Buffer.concat(this.#chunks).subarray(0, this.#request.maxReplyBytes).toString();
    this.#done({ kind: 'reply', status: this.#status, headers: this.#headers, body });
  }

  #done(result: HttpReply | HttpFailure): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#request.recall?.remove(this);
    this.#settle(result);
  }
}

/**
 * Makes one POST through undici, which speaks HTTP/2; HTTP/1.1 is in http/pool.ts. It never rejects. Redirects are answers like
 * any other and are not followed.
 */
export function post(dispatcher: Dispatcher, request: CallRequest): Promise<HttpReply | HttpFailure> {
  return new Promise((settle) => {
    if (request.recall?.recalled) {
      settle({ kind: 'failure', written: false, code: NOT_CALLED });
      return;
    }
    const call = new Call(request, settle);
    try {
      dispatcher.dispatch({ method: 'POST', path: request.path, headers: request.headers, body: request.body }, call);
    } catch (error) {
      call.fail(errorCode(error));
    }
  });
}

const MAX_RETRY_AFTER_MS = 3_600_000;

/** Reads Retry-After (RFC 9110 section 10.2.3), which is in seconds or a date. At most one hour is believed. */
export function retryAfterMs(value: string | string[] | undefined, now: number, otherwise: number): number {
  const text = Array.isArray(value) ? value[0] : value;
  if (!text) return otherwise;
  // Date.parse takes almost anything, even "-7", but an HTTP date begins with the name of a day.
  const ms = /^\s*\d+\s*$/.test(text) ? Number(text) * 1000 : /^[A-Z][a-z]+,? /.test(text) ? Date.parse(text) - now : Number.NaN;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : otherwise;
}
