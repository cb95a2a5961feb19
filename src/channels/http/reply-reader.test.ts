import { describe, expect, test } from 'vitest';
import { HttpReplyReader } from './reply-reader.ts';

const wire = (...lines: string[]): Buffer => Buffer.from(lines.join('\r\n'), 'latin1');

function readAll(bytes: Buffer, sizes: number, maxBodyBytes = 65_536) {
  const reader = new HttpReplyReader(maxBodyBytes);
  reader.expect();
  // The socket's buffer is used again for what comes next, so nothing may point into it.
  const shared = Buffer.alloc(sizes);
  let came: string = 'more';
  for (let at = 0; at < bytes.length && came === 'more'; at += sizes) {
    const length = bytes.copy(shared, 0, at, at + sizes);
    came = reader.read(shared.subarray(0, length));
  }
  return { came, status: reader.head?.status, headers: { ...reader.head?.headers }, body: reader.body(), reusable: reader.reusable };
}

const answers: [string, Buffer, object][] = [
  ['counted', wire('HTTP/1.1 201 Created', 'Content-Length: 5', 'X-A:  b c ', '', 'hello'), { status: 201, body: 'hello', reusable: true }],
  ['counted, in UTF-8', Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhällo'), { status: 200, body: 'hällo', reusable: true }],
  ['empty', wire('HTTP/1.1 201 Created', 'content-length: 0', '', ''), { status: 201, body: '', reusable: true }],
  [
    'no reason phrase',
    wire('HTTP/1.1 429 ', 'Content-Length: 0', 'Retry-After: 7', '', ''),
    { status: 429, headers: { 'content-length': '0', 'retry-after': '7' } },
  ],
  ['no content', wire('HTTP/1.1 204 No Content', '', ''), { status: 204, body: '', reusable: true }],
  [
    'chunked, with an extension and a trailer',
    wire('HTTP/1.1 400 Bad Request', 'Transfer-Encoding: Chunked', '', '5;a="b"', 'Hello', '00A', ', wonderfu', '0', 'X-Sum: 1', '', ''),
    { status: 400, body: 'Hello, wonderfu', reusable: true },
  ],
  [
    'after an interim answer',
    wire('HTTP/1.1 100 Continue', '', 'HTTP/1.1 103 Early Hints', 'Link: x', '', 'HTTP/1.1 201 Created', 'Content-Length: 2', '', 'ok'),
    { status: 201, body: 'ok', headers: { 'content-length': '2' } },
  ],
  ['a header twice', wire('HTTP/1.1 200 OK', 'A: 1', 'a: 2', 'Content-Length: 0', '', ''), { headers: { a: '1, 2', 'content-length': '0' } }],
  ['asked to close', wire('HTTP/1.1 200 OK', 'Connection: Close', 'Content-Length: 2', '', 'ok'), { body: 'ok', reusable: false }],
  ['HTTP/1.0', wire('HTTP/1.0 200 OK', 'Content-Length: 2', '', 'ok'), { body: 'ok', reusable: false }],
  ['HTTP/1.0 that stays', wire('HTTP/1.0 200 OK', 'Connection: keep-alive', 'Content-Length: 2', '', 'ok'), { body: 'ok', reusable: true }],
  [
    'HTTP/1.0, which knows no chunks',
    wire('HTTP/1.0 200 OK', 'Connection: keep-alive', 'Transfer-Encoding: chunked', '', '2', 'ok', '0', '', ''),
    { body: 'ok', reusable: false },
  ],
  ['no content, but two lengths', wire('HTTP/1.1 204 No Content', 'Content-Length: 2', 'Transfer-Encoding: chunked', '', ''), { body: '', reusable: false }],
  ['a field with a control character', wire('HTTP/1.1 200 OK', 'A: b\x0bc', 'Content-Length: 2', '', 'ok'), { body: 'ok', reusable: false }],
  ['after blank lines', wire('', '', 'HTTP/1.1 200 OK', 'Content-Length: 2', '', 'ok'), { body: 'ok', reusable: true }],
  ['a length with zeros before it', wire('HTTP/1.1 200 OK', 'Content-Length: 0000000000000000002', '', 'ok'), { body: 'ok', reusable: true }],
  [
    'chunks with zeros before their sizes',
    wire('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '000000000002', 'ok', '0', '', ''),
    { body: 'ok', reusable: true },
  ],
  ['a status that nobody knows, for a 5xx', wire('HTTP/1.1 742 Odd', 'Content-Length: 0', '', ''), { status: 742, reusable: true }],
  ['packed, in chunks', wire('HTTP/1.1 200 OK', 'Transfer-Encoding: gzip, chunked', '', '2', 'ok', '0', '', ''), { body: 'ok', reusable: false }],
  [
    'after an interim answer that says goodbye',
    wire('HTTP/1.1 100 Continue', 'Connection: close', '', 'HTTP/1.1 200 OK', 'Content-Length: 0', '', ''),
    { status: 200, reusable: false },
  ],
  [
    'two lengths, of which one is a lie',
    wire('HTTP/1.1 200 OK', 'Content-Length: 400', 'Transfer-Encoding: chunked', '', '2', 'ok', '0', '', ''),
    { body: 'ok', reusable: false },
  ],
];

describe.each([1, 2, 3, 7, 65_536])('in pieces of %i bytes', (size) => {
  test.each(answers)('%s', (_name, bytes, expected) => {
    expect(readAll(bytes, size)).toMatchObject({ came: 'whole', ...expected });
  });
});

test.each([
  ['without a length: until the connection ends', wire('HTTP/1.1 200 OK', '', 'so far')],
  ['an unknown transfer coding: until the connection ends', wire('HTTP/1.1 200 OK', 'Transfer-Encoding: gzip', '', 'so far')],
  ['cut short', wire('HTTP/1.1 200 OK', 'Content-Length: 400', '', 'so far')],
])('%s', (_name, bytes) => {
  expect(readAll(bytes, 5)).toMatchObject({ came: 'more', status: 200, body: 'so far', reusable: false });
});

test.each([
  ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['a change of protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok'],
  ['a folded header', 'HTTP/1.1 200 OK\r\nA: b\r\n c: d\r\n\r\n'],
  ['a length of its own kind', 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok'],
  ['a length with a space that is none', 'HTTP/1.1 200 OK\r\nContent-Length: 2\u00a0\r\n\r\nok'],
  ['a trailer that is no field', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ['a length in a trailer', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 2\r\n\r\n'],
  ['a coding that is none', 'HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\nok'],
  ['a coding and a length, of which neither counts', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok'],
  ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok'],
  ['a length beyond all measure', `HTTP/1.1 200 OK\r\nContent-Length: ${'9'.repeat(20)}\r\n\r\nok`],
  ['a NUL', 'HTTP/1.1 200 OK\r\nA: b\0c\r\nContent-Length: 2\r\n\r\nok'],
  ['a status line without end', `HTTP/1.1 200 ${'b'.repeat(20_000)}`],
  ['one length twice', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
  ['two different lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
  ['a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ['a chunk that is longer than it says', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n'],
  ['headers without end', `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(20_000)}`],
  ['a size line without end', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${'b'.repeat(2_000)}`],
])('%s is no answer', (_name, text) => {
  for (const size of [1, 100_000]) expect(readAll(Buffer.from(text, 'latin1'), size).came).toBe('broken');
});

test('a long body is cut, and its connection not used again', () => {
  expect(readAll(wire('HTTP/1.1 201 Created', 'Content-Length: 1000', '', 'x'.repeat(1000)), 64, 100)).toMatchObject({
    came: 'whole',
    status: 201,
    body: 'x'.repeat(100),
    reusable: false,
  });
});

test('what follows an answer that nobody asked for makes the connection useless', () => {
  const twice = wire('HTTP/1.1 201 Created', 'Content-Length: 2', '', 'okHTTP/1.1 500 Oops', '', '');
  expect(readAll(twice, 65_536)).toMatchObject({ came: 'whole', status: 201, body: 'ok', reusable: false });
});

test('one reader serves one answer after the other', () => {
  const reader = new HttpReplyReader(100);
  for (const word of ['one', 'two', 'three']) {
    reader.expect();
    expect(reader.head).toBeUndefined();
    expect(reader.read(wire('HTTP/1.1 200 OK', `Content-Length: ${word.length}`, '', word))).toBe('whole');
    expect(reader.body()).toBe(word);
  }
});
