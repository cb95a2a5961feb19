import { connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { IncomingHttpHeaders } from 'node:http';
import { monotonicMs } from '#platform/clock.ts';
import { isBlank } from './grammar.ts';
import { HttpReplyReader } from './reply-reader.ts';

/** How much is read at once. Each connection has one such buffer and uses it again for every answer. */
const READ_BYTES = 16_384;
/** Taken off the time that a server names: it closes then and not later, and our request must not meet that on its way. */
const EARLY_MS = 1_000;
/**
 * The longest that an idle connection is kept, however long the server would wait: address translation on the way forgets connections
 * that are silent for 4 to 6 minutes, and tells nobody.
 */
const MOST_KEEP_ALIVE_MS = 60_000;
/** A server that ends a connection later than this after an answer has waited for a request in vain; sooner, it had given its last answer. */
export const SOON_MS = 500;
/** Connecting and the TLS handshake. A peer that takes the connection and then says nothing would hold its place for ever. */
export const CONNECT_MS = 10_000;

export interface ConnectionOptions {
  readonly url: URL;
  readonly maxReplyBytes: number;
  /** Milliseconds that an idle connection is kept; a server's `Keep-Alive: timeout=` of up to a minute replaces it. */
  readonly keepAliveMs: number;
  /** Milliseconds for connecting and the TLS handshake. */
  readonly connectMs?: number;
  /** How the host's name becomes addresses; the system's own way without it. */
  readonly lookup?: LookupFunction | undefined;
  /** Whether HTTP/2 is offered to TLS as well (RFC 7301). A server that picks it ends the connection with `PICKED_H2`. */
  readonly offerH2?: boolean;
  /** The TLS session of an earlier connection (RFC 8446 section 2.2), which makes the next handshake short. */
  readonly resume: { session: Buffer | undefined };
}

/** The code of a connection that never came about because the server would speak HTTP/2. */
export const PICKED_H2 = 'PICKED_H2';

/** One request under way. */
export interface Exchange {
  /** Is called when status line and headers came, and of the body as much as did. */
  answered(status: number, headers: IncomingHttpHeaders, body: string): void;
  /** Is called when no answer came. */
  failed(code: string): void;
}

export interface ConnectionEvents {
  /** Is called when it can take a request. */
  free(connection: HttpConnection): void;
  /** Is called once, before the request that was under way is told. `unmade`: why the connection never came about. */
  gone(connection: HttpConnection, unmade: string | undefined): void;
}

const codeOf = (error: unknown): string => {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : 'ECONNRESET';
};

/**
 * One kept-open HTTP/1.1 connection with one request on it at a time. It is quick because a request is one string and one write,
 * answers are read into one buffer without a stream in between, and nothing but the answer is made for each call.
 */
export class HttpConnection {
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  readonly #reader: HttpReplyReader;
  readonly #socket: Socket;
  #exchange: Exchange | undefined;
  /** Ends it while it is being made, and while it has nothing to do. */
  #timer: NodeJS.Timeout | undefined;
  #keepAliveMs: number;
  #made = false;
  #gone = false;
  #answers = 0;
  #answeredAt = 0;
  #cutAfter: number | undefined;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
    this.#reader = new HttpReplyReader(options.maxReplyBytes);
    this.#keepAliveMs = options.keepAliveMs;
    this.#socket = this.#connect();
    this.#timer = setTimeout(() => this.end('ETIMEDOUT'), options.connectMs ?? CONNECT_MS);
    this.#socket.setNoDelay(true);
    // 'error' comes before 'close', and says why.
    this.#socket.on('error', (error) => this.#cut(codeOf(error)));
    this.#socket.on('end', () => this.#cut('ECONNRESET'));
    this.#socket.on('close', () => this.#cut('ECONNRESET'));
  }

  /** Answers that it has brought. */
  get answers(): number {
    return this.#answers;
  }

  /** The number of answers after which the server ended it, without having said so and soon after the last of them. */
  get cutAfter(): number | undefined {
    return this.#cutAfter;
  }

  #cut(code: string): void {
    if (this.#gone) return;
    if (this.#answers > 0 && monotonicMs() - this.#answeredAt < SOON_MS) this.#cutAfter = this.#answers;
    this.end(code);
  }

  #connect(): Socket {
    const { url, resume, offerH2, lookup: given } = this.#options;
    const secure = url.protocol === 'https:';
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const port = Number(url.port) || (secure ? 443 : 80);
    const onread = {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (bytes: number, buffer: Uint8Array) => this.#onBytes(Buffer.from(buffer.buffer, buffer.byteOffset, bytes)),
    };
    const lookup = given ? { lookup: given } : {};
    const made = (): void => {
      this.#made = true;
      clearTimeout(this.#timer);
      this.#free();
    };
    if (!secure) return connectTcp({ host, port, onread, ...lookup }, made);
    const named = /^[\d.]+$|:/.test(host) ? {} : { servername: host };
    const session = resume.session ? { session: resume.session } : {};
    // HTTP/1.1 is named first, as undici has it: a server that leaves the choice to the client is called by the cheaper one.
    const ALPNProtocols = offerH2 ? ['http/1.1', 'h2'] : ['http/1.1'];
    const socket = connectTls({ host, port, ...named, ...session, ...lookup, ALPNProtocols, ...{ onread } }, () =>
      socket.alpnProtocol === 'h2' ? this.end(PICKED_H2) : made(),
    );
    socket.on('session', (fresh) => {
      resume.session = fresh;
    });
    return socket;
  }

  /** @param request head and body; one character is one byte */
  send(request: string, exchange: Exchange): void {
    clearTimeout(this.#timer);
    this.#exchange = exchange;
    this.#reader.expect();
    this.#socket.write(request, 'latin1');
  }

  #onBytes(bytes: Buffer): boolean {
    const exchange = this.#exchange;
    if (!exchange && isBlank(bytes)) return true;
    // Nobody asked: it is a server that says why it closes (408), or worse.
    const came = exchange ? this.#reader.read(bytes) : 'broken';
    if (came === 'more') return true;
    if (!exchange || came === 'broken') {
      this.end('EPROTOCOL');
      return false;
    }
    this.#exchange = undefined;
    this.#answers++;
    this.#answeredAt = monotonicMs();
    const { head, reusable } = this.#reader;
    const body = this.#reader.body();
    if (reusable) {
      this.#heed(head?.headers['keep-alive']);
      this.#free();
    } else this.end('CLOSED');
    if (head) exchange.answered(head.status, head.headers, body);
    return reusable;
  }

  #heed(hint: string | string[] | undefined): void {
    const seconds = hint === undefined ? undefined : /timeout=(\d{1,6})/i.exec(String(hint))?.[1];
    if (seconds !== undefined) this.#keepAliveMs = Math.min(Math.max(0, Number(seconds) * 1000 - EARLY_MS), MOST_KEEP_ALIVE_MS);
  }

  #free(): void {
    if (this.#gone) return;
    if (this.#keepAliveMs === 0) return this.end('CLOSED');
    this.#events.free(this);
  }

  /** It has nothing to do for now, and closes if that stays so. */
  rest(forMs = this.#keepAliveMs): void {
    this.#timer = setTimeout(() => this.end('CLOSED'), forMs).unref();
  }

  /** Closes it. A request under way ends here: it is answered if its status line came, and in doubt otherwise. */
  end(code: string): void {
    if (this.#gone) return;
    this.#gone = true;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    this.#events.gone(this, this.#made ? undefined : code);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    const { head } = this.#reader;
    if (head) exchange?.answered(head.status, head.headers, this.#reader.body());
    else exchange?.failed(code);
  }
}
