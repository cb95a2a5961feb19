// What the lines of an HTTP/1.1 answer are made of (RFC 9112). Read as strictly as Node's parser does, but for what differential.test.ts lists.

export const CRLF = '\r\n';
/**
 * HTTP-version SP status-code, then SP and a reason (RFC 9112 section 4); a reason that is left out with its space is common.
 * A status from 600 on is an answer like a 5xx (RFC 9110 section 15).
 */
export const STATUS_LINE = /^HTTP\/1\.[01] [1-9]\d\d(?: |$)/;
/** What the beginning of a status line is completed with, to see whether it can become one. */
const SOME_STATUS_LINE = 'HTTP/1.1 200 ';
/** RFC 9110 section 5.6.2 */
const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]";
/** RFC 9110 section 5.6.4 */
const QUOTED = String.raw`"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"`;
/** The value of a chunk's extension. */
const VALUE = `=${TOKEN}*(?:${QUOTED})?`;
/** The name of a field: there is no space before the colon, and no line is folded (RFC 9112 section 5). */
const NAME = new RegExp(`^${TOKEN}+$`);
/** A line's end that is half of one: who reads it otherwise sees other fields (RFC 9112 section 2.2). */
export const HALF_AN_END = /\r(?!\n)|(?<!\r)\n|\0/;
/** That, or another control character, which no field may hold (RFC 9110 section 5.5). */
// oxlint-disable-next-line no-control-regex
export const UNCLEAN = /\r(?!\n)|(?<!\r)\n|[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;
export const LENGTH = /^0*\d{1,15}$/;
/**
 * A chunk's size and its extensions, `;name=value` or `;name="value"` (RFC 9112 section 7.1.1). No blanks: the RFC lets nobody
 * write them, and asks whoever reads them to guess.
 */
export const CHUNK_LINE = new RegExp(`^(0*[0-9A-Fa-f]{1,13})(?:;+(?:${TOKEN}+(?:${VALUE})?|${VALUE}))*$`);
/** What a part of it may lack: nothing, a name or value, the end of a quoted one, or of what is escaped in it. */
const CHUNK_ENDS = ['', 'a', '"', 'a"'];

/** Whether the peer keeps the connection, and says so that nobody can read it otherwise. */
export function isKept(headers: Readonly<Record<string, string>>, persistent: boolean): boolean {
  const coding = headers['transfer-encoding'];
  const length = headers['content-length'];
  // Two lengths are how answers are smuggled: what follows on this connection is not believed. HTTP/1.0 has no codings (RFC 9112 section 6.1).
  if (coding !== undefined && (length !== undefined || !persistent || coding.toLowerCase() !== 'chunked')) return false;
  if (length !== undefined && !LENGTH.test(length)) return false;
  const connection = headers.connection?.toLowerCase();
  if (connection === undefined) return persistent;
  const words = connection.split(',');
  return !connection.includes('close') && (persistent || words.some((word) => trimmed(word, 0, word.length) === 'keep-alive'));
}

/** The fields from `at` on; undefined: one of them is none. Without regular expressions that find things: they leave much garbage. */
export function fieldsOf(text: string, at: number): Record<string, string> | undefined {
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

/** Trims spaces and tabs alone (RFC 9110 section 5.6.3); `trim` also takes what no other reader would: a length of "5\xa0" is none. */
export function trimmed(text: string, from: number, to: number): string {
  let [start, end] = [from, to];
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

const isSpace = (code: number): boolean => code === 0x20 || code === 0x09;
export const isLineEnd = (byte: number | undefined): boolean => byte === 0x0d || byte === 0x0a;

/** Nothing but line ends, which mean nothing between answers (RFC 9112 section 2.2). */
export function isBlank(bytes: Uint8Array, from = 0): boolean {
  for (let at = from; at < bytes.length; at++) if (!isLineEnd(bytes[at])) return false;
  return true;
}

/** Its last line end may be half there. */
export const isHalfClean = (text: string): boolean => !HALF_AN_END.test(text.endsWith('\r') ? text.slice(0, -1) : text);

/** @param text a part of it, whose line end may be half there */
export function mayBecomeStatusLine(text: string): boolean {
  const line = text.endsWith('\r') ? text.slice(0, -1) : text;
  return STATUS_LINE.test(line + SOME_STATUS_LINE.slice(line.length));
}

/** @param text a part of a chunk's line */
export const mayBecomeChunkLine = (text: string): boolean =>
  text.endsWith('\r') ? CHUNK_LINE.test(text.slice(0, -1)) : CHUNK_ENDS.some((end) => CHUNK_LINE.test(text + end));

/** @param text a part of a field, or of the empty line behind the last one */
export function mayBecomeField(text: string): boolean {
  const colon = text.indexOf(':');
  return text === '' || text === '\r' || NAME.test(colon < 0 ? text : text.slice(0, colon));
}

/** What tells where the body ends comes too late behind it (RFC 9110 section 6.5.1). */
export const isTrailer = (fields: Readonly<Record<string, string>> | undefined): boolean =>
  fields !== undefined && !('content-length' in fields || 'transfer-encoding' in fields);
