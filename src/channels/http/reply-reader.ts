import type { IncomingHttpHeaders } from 'node:http';
import {
  CHUNK_LINE,
  CRLF,
  fieldsOf,
  HALF_AN_END,
  isBlank,
  isHalfClean,
  isKept,
  isLineEnd,
  isTrailer,
  LENGTH,
  mayBecomeChunkLine,
  mayBecomeField,
  mayBecomeStatusLine,
  STATUS_LINE,
  trimmed,
  UNCLEAN,
} from './grammar.ts';

/** A status line and its headers are some 500 bytes; more than this is not an answer of an API. */
const MAX_HEAD_BYTES = 16_384;
/** A chunk's size line with its extensions, or one trailer (RFC 9112 section 7.1). */
const MAX_LINE_BYTES = 1_024;

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
  /** Where in a head that is held the line begins that is not whole yet. */
  #lineAt = 0;
  #keep = false;
  /** An interim answer said that the connection ends, or could be read in two ways. */
  #distrusted = false;

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

  /** The body lasts until the connection ends: by then it is whole. */
  get endsWithConnection(): boolean {
    return this.#expects === 'end';
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
    this.#lineAt = 0;
    this.#keep = false;
    this.#distrusted = false;
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
        if (!isBlank(bytes, at)) this.#keep = false;
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

  #readHead(bytes: Buffer, start: number): number | undefined {
    let at = start;
    // Left over from an answer before, by servers that end a body with a line's end (RFC 9112 section 2.2).
    if (!this.#held) while (at < bytes.length && isLineEnd(bytes[at])) at++;
    if (at === bytes.length) return at;
    const { all, from, shift } = this.#joined(bytes, at);
    const end = all.indexOf('\r\n\r\n', from, 'latin1');
    if ((end < 0 ? all.length : end) - from > MAX_HEAD_BYTES) return undefined;
    if (end >= 0) return this.#begin(all.toString('latin1', from, end)) ? end + 4 + shift : undefined;
    this.#held = Buffer.from(all.subarray(from));
    return this.#mayBecomeHead(this.#held) ? -1 : undefined;
  }

  /** Whether it pays to wait for the rest: lines ended by LF alone would be waited for until the deadline. */
  #mayBecomeHead(held: Buffer): boolean {
    for (let end = held.indexOf('\n', this.#lineAt, 'latin1'); end >= 0; end = held.indexOf('\n', this.#lineAt, 'latin1')) {
      const line = held.toString('latin1', this.#lineAt, end + 1);
      if (HALF_AN_END.test(line)) return false;
      const text = line.slice(0, -2);
      if (this.#lineAt === 0 ? !STATUS_LINE.test(text) : fieldsOf(text, 0) === undefined) return false;
      this.#lineAt = end + 1;
    }
    const begun = held.toString('latin1', this.#lineAt);
    return isHalfClean(begun) && (this.#lineAt > 0 ? mayBecomeField(begun) : mayBecomeStatusLine(begun));
  }

  #readLine(bytes: Buffer, at: number): number | undefined {
    const { all, from, shift } = this.#joined(bytes, at);
    const end = all.indexOf(CRLF, from, 'latin1');
    if ((end < 0 ? all.length : end) - from > MAX_LINE_BYTES) return undefined;
    if (end >= 0) return this.#onLine(all.toString('latin1', from, end)) ? end + 2 + shift : undefined;
    this.#held = Buffer.from(all.subarray(from));
    return this.#mayBecomeLine(this.#held.toString('latin1')) ? -1 : undefined;
  }

  #mayBecomeLine(text: string): boolean {
    if (this.#expects === 'chunk-end') return text === '\r';
    if (!isHalfClean(text)) return false;
    if (this.#expects === 'size') return mayBecomeChunkLine(text);
    return text.includes(':') ? isTrailer(fieldsOf(text, 0)) : mayBecomeField(text);
  }

  /** Reads a line of a chunked body (RFC 9112 section 7.1). */
  #onLine(line: string): boolean {
    if (this.#expects === 'chunk-end') {
      this.#expects = 'size';
      return line === '';
    }
    if (this.#expects === 'trailer') {
      if (line === '') this.#expects = 'nothing';
      return line === '' || (!UNCLEAN.test(line) && isTrailer(fieldsOf(line, 0)));
    }
    const size = CHUNK_LINE.exec(line)?.[1];
    if (size === undefined) return false;
    this.#left = Number.parseInt(size, 16);
    this.#expects = this.#left === 0 ? 'trailer' : 'chunk';
    return true;
  }

  #begin(text: string): boolean {
    const endOfLine = text.indexOf(CRLF);
    const line = endOfLine < 0 ? text : text.slice(0, endOfLine);
    this.#lineAt = 0;
    const clean = !UNCLEAN.test(text);
    if (!STATUS_LINE.test(line) || (!clean && HALF_AN_END.test(text))) return false;
    const headers = endOfLine < 0 ? {} : fieldsOf(text, endOfLine + 2);
    if (!headers) return false;
    const status = Number(line.slice(9, 12));
    const kept = clean && isKept(headers, line[7] === '1');
    if (status < 200) {
      // RFC 9110 section 15.2: an interim answer, the final one follows. Nobody asked to change the protocol (101).
      this.#distrusted ||= !kept;
      return status !== 101;
    }
    this.#head = { status, headers };
    this.#keep = kept && !this.#distrusted;
    return this.#frame(status, headers);
  }

  /** Finds out how the body's end is told (RFC 9112 section 6.3). */
  #frame(status: number, headers: Readonly<Record<string, string>>): boolean {
    const coding = headers['transfer-encoding'];
    const length = headers['content-length'];
    if (status === 204 || status === 304) {
      this.#expects = 'nothing';
    } else if (coding !== undefined) {
      if (coding === '') return false;
      // The last coding tells where the body ends; whatever was done to it before is for nobody here to undo.
      const last = trimmed(coding, coding.lastIndexOf(',') + 1, coding.length);
      if (last.toLowerCase() === 'chunked') this.#expects = 'size';
      else if (length !== undefined) return false;
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
