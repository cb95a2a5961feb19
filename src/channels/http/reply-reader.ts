import type { IncomingHttpHeaders } from 'node:http';

/** A status line and its headers are some 500 bytes; more than this is not an answer of an API. */
const MAX_HEAD_BYTES = 16_384;
/** A chunk's size line with its extensions, or one trailer (RFC 9112 section 7.1). */
const MAX_LINE_BYTES = 1_024;

const CRLF = '\r\n';
/** HTTP-version SP status-code, then SP and a reason (RFC 9112 section 4). Many servers leave out the reason with its space. */
const STATUS_LINE = /^HTTP\/1\.[01] [1-5]\d\d(?: |$)/;
/**
 * What a field's name is made of (RFC 9110 section 5.6.2). It has no space before its colon, and lines are not folded (RFC 9112 section
 * 5).
 */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Half of a line's end, or a NUL. A reader that takes it for something else sees other fields (RFC 9112 section 2.2). */
const HALF_AN_END = /\r(?!\n)|(?<!\r)\n|\0/;
/** The same, or another control character, which no field may hold (RFC 9110 section 5.5). */
// oxlint-disable-next-line no-control-regex
const UNCLEAN = /\r(?!\n)|(?<!\r)\n|[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;
const LENGTH = /^\d{1,15}$/;

type Expects = 'head' | 'counted' | 'size' | 'chunk' | 'chunk-end' | 'trailer' | 'end' | 'nothing';

export interface HttpReplyHead {
  readonly status: number;
  /** Names in lower case; of a repeated field the values joined by a comma. */
  readonly headers: IncomingHttpHeaders;
}

/**
 * Reads the answers to POST requests of one HTTP/1.1 connection, one answer at a time (RFC 9112 sections 4 to 7).
 * It refuses whatever is not certainly an answer: on a connection that is out of step the next message's answer
 * would be taken for this one's.
 */
export class HttpReplyReader {
  readonly #maxBodyBytes: number;
  #expects: Expects = 'nothing';
  #head: HttpReplyHead | undefined;
  #body: Buffer[] = [];
  /** The body, where it came in one piece with the head, as it mostly does. */
  #text: string | undefined;
  #bodyBytes = 0;
  /** Bytes of the body or chunk that are still to come. */
  #left = 0;
  /** What came of a head or line that is not whole yet. */
  #held: Buffer | undefined;
  #keep = false;

  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
  }

  /** The status line and headers, once they are whole. They alone are the verdict. */
  get head(): HttpReplyHead | undefined {
    return this.#head;
  }

  /** Whether the connection may carry another request. */
  get reusable(): boolean {
    return this.#keep && this.#expects === 'nothing';
  }

  /** As much of the body as came, and at most `maxBodyBytes`. */
  body(): string {
    return this.#text ?? Buffer.concat(this.#body).toString('utf8', 0, this.#maxBodyBytes);
  }

  /** Is told that a request was written, so that its answer comes next. */
  expect(): void {
    this.#expects = 'head';
    this.#head = undefined;
    if (this.#bodyBytes > 0) this.#body = [];
    this.#text = undefined;
    this.#bodyBytes = 0;
    this.#held = undefined;
    this.#keep = false;
  }

  /**
   * @param bytes of the socket; not kept, the buffer may be used again
   * @returns whether the answer is whole (or its body long enough), goes on, or is none
   */
  read(bytes: Buffer): 'whole' | 'more' | 'broken' {
    let at = 0;
    while (at < bytes.length) {
      const next = this.#step(bytes, at);
      if (next === undefined) return 'broken';
      if (next < 0) return 'more';
      at = next;
      if (this.#bodyBytes > this.#maxBodyBytes) {
        this.#keep = false;
        return 'whole';
      }
      if (this.#expects === 'nothing') {
        // Nothing was asked that this could be the answer to: the connection is not to be trusted with another request.
        if (at < bytes.length) this.#keep = false;
        return 'whole';
      }
    }
    return 'more';
  }

  /** @returns the position behind what was read, -1: all of it, more is needed, undefined: this is no answer */
  #step(bytes: Buffer, at: number): number | undefined {
    switch (this.#expects) {
      case 'head':
        return this.#readHead(bytes, at);
      case 'counted':
      case 'chunk': {
        const end = Math.min(bytes.length, at + this.#left);
        this.#left -= end - at;
        if (this.#left === 0 && this.#bodyBytes === 0 && this.#expects === 'counted' && end - at <= this.#maxBodyBytes)
          this.#text = bytes.toString('utf8', at, end);
        else this.#keepBody(bytes, at, end);
        if (this.#left === 0) this.#expects = this.#expects === 'chunk' ? 'chunk-end' : 'nothing';
        return end;
      }
      case 'end':
        this.#keepBody(bytes, at, bytes.length);
        return bytes.length;
      case 'size':
      case 'chunk-end':
      case 'trailer':
        return this.#readLine(bytes, at);
      case 'nothing':
        return undefined;
    }
  }

  #keepBody(bytes: Buffer, from: number, to: number): void {
    if (to <= from || this.#bodyBytes > this.#maxBodyBytes) return;
    this.#body.push(Buffer.from(bytes.subarray(from, to)));
    this.#bodyBytes += to - from;
  }

  /** Joins what was held back before with the `bytes` that came now, and says where `at` is in it. */
  #joined(bytes: Buffer, at: number): { all: Buffer; from: number; shift: number } {
    const held = this.#held;
    if (!held) return { all: bytes, from: at, shift: 0 };
    this.#held = undefined;
    return { all: Buffer.concat([held, bytes.subarray(at)]), from: 0, shift: at - held.length };
  }

  #readHead(bytes: Buffer, at: number): number | undefined {
    const { all, from, shift } = this.#joined(bytes, at);
    const end = all.indexOf('\r\n\r\n', from, 'latin1');
    if ((end < 0 ? all.length : end) - from > MAX_HEAD_BYTES) return undefined;
    if (end < 0) {
      this.#held = Buffer.from(all.subarray(from));
      return -1;
    }
    return this.#begin(all.toString('latin1', from, end)) ? end + 4 + shift : undefined;
  }

  #readLine(bytes: Buffer, at: number): number | undefined {
    const { all, from, shift } = this.#joined(bytes, at);
    const end = all.indexOf(CRLF, from, 'latin1');
    if ((end < 0 ? all.length : end) - from > MAX_LINE_BYTES) return undefined;
    if (end < 0) {
      this.#held = Buffer.from(all.subarray(from));
      return -1;
    }
    return this.#onLine(all.toString('latin1', from, end)) ? end + 2 + shift : undefined;
  }

  /** Reads a line of a chunked body (RFC 9112 section 7.1). */
  #onLine(line: string): boolean {
    if (this.#expects === 'chunk-end') {
      this.#expects = 'size';
      return line === '';
    }
    if (this.#expects === 'trailer') {
      if (line === '') this.#expects = 'nothing';
      return line === '' || (!UNCLEAN.test(line) && fieldsOf(line, 0) !== undefined);
    }
    const size = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?$/.exec(line)?.[1];
    if (size === undefined) return false;
    this.#left = Number.parseInt(size, 16);
    this.#expects = this.#left === 0 ? 'trailer' : 'chunk';
    return true;
  }

  #begin(text: string): boolean {
    const endOfLine = text.indexOf(CRLF);
    const line = endOfLine < 0 ? text : text.slice(0, endOfLine);
    const clean = !UNCLEAN.test(text);
    if (!STATUS_LINE.test(line) || (!clean && HALF_AN_END.test(text))) return false;
    const headers = endOfLine < 0 ? {} : fieldsOf(text, endOfLine + 2);
    if (!headers) return false;
    const status = Number(line.slice(9, 12));
    // After an interim answer the final one follows (RFC 9110 section 15.2). Nobody asked to change the protocol (101).
    if (status < 200) return status !== 101;
    this.#head = { status, headers };
    this.#keep = clean && isKept(headers, line[7] === '1');
    return this.#frame(status, headers);
  }

  /** Finds out how the body's end is told (RFC 9112 section 6.3). */
  #frame(status: number, headers: Readonly<Record<string, string>>): boolean {
    const coding = headers['transfer-encoding'];
    const length = headers['content-length'];
    if (status === 204 || status === 304) {
      this.#expects = 'nothing';
    } else if (coding !== undefined) {
      if (coding.toLowerCase() === 'chunked') this.#expects = 'size';
      else this.#untilTheEnd();
    } else if (length !== undefined) {
      if (!LENGTH.test(length)) return false;
      this.#left = Number(length);
      this.#expects = this.#left === 0 ? 'nothing' : 'counted';
    } else {
      this.#untilTheEnd();
    }
    return true;
  }

  #untilTheEnd(): void {
    this.#keep = false;
    this.#expects = 'end';
  }
}

/** Whether the peer keeps the connection, in words that cannot be read in another way. */
function isKept(headers: Readonly<Record<string, string>>, persistent: boolean): boolean {
  const coding = headers['transfer-encoding'];
  const length = headers['content-length'];
  // Answers are smuggled by two lengths, so what follows on this connection is not believed. HTTP/1.0 has no codings (RFC 9112
  // section 6.1).
  if (coding !== undefined && (length !== undefined || !persistent)) return false;
  if (length !== undefined && !LENGTH.test(length)) return false;
  const connection = headers.connection?.toLowerCase();
  return connection === undefined ? persistent : !connection.includes('close') && (persistent || connection.includes('keep-alive'));
}

/**
 * Reads the fields from `at` on; undefined: one of them is none. It uses no regular expressions to find things, as they leave much
 * garbage.
 */
function fieldsOf(text: string, at: number): Record<string, string> | undefined {
  const headers: Record<string, string> = {};
  for (let from = at, end = 0; end < text.length; from = end + 2) {
    end = text.indexOf(CRLF, from);
    if (end < 0) end = text.length;
    const colon = text.indexOf(':', from);
    const name = text.slice(from, colon);
    if (colon < 0 || colon > end || !NAME.test(name)) return undefined;
    const key = name.toLowerCase();
    const value = trimmed(text, colon + 1, end);
    const before = headers[key];
    headers[key] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}

/** Trims spaces and tabs alone (RFC 9110 section 5.6.3). `trim` also takes what no other reader would: a length of "5\xa0" is none. */
function trimmed(text: string, from: number, to: number): string {
  let [start, end] = [from, to];
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x09;
