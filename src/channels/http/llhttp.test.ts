import { describe, expect, test } from 'vitest';
import { HttpReplyReader } from './reply-reader.ts';

// The cases of llhttp's own tests of responses (github.com/nodejs/llhttp, test/response), each with what ours makes of it. Where that is not
// what llhttp makes of it in its strict mode, the row says what llhttp does.

/** What is left when all bytes were read: another answer may follow; this was the last one; the body goes on to the connection's end; more is awaited. */
type Ends = 'kept' | 'closing' | 'with the connection' | 'waiting' | 'refused';

type Row = readonly [name: string, bytes: string, status: number | undefined, body: string, ends: Ends];

/** Lines that end with CRLF, and an empty one behind them. */
const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const OK = 'HTTP/1.1 200 OK';
const CHUNKED = head(OK, 'Transfer-Encoding: chunked');

const connection: readonly Row[] = [
  ['Proxy-Connection is no Connection', `${head(OK, 'Proxy-Connection: close', 'Content-Length: 11')}hello world`, 200, 'hello world', 'kept'],
  ['HTTP/1.0, keep-alive, no length', `${head('HTTP/1.0 200 OK', 'Connection: keep-alive')}more`, 200, 'more', 'with the connection'],
  ['HTTP/1.0, keep-alive, 204', head('HTTP/1.0 204 No content', 'Connection: keep-alive'), 204, '', 'kept'],
  ['HTTP/1.0, keep-alive, 204, and another', head('HTTP/1.0 204 No content', 'Connection: keep-alive') + head('HTTP/1.0 200 OK'), 204, '', 'closing'],
  ['no length', `${head(OK)}more`, 200, 'more', 'with the connection'],
  ['204', head('HTTP/1.1 204 No content'), 204, '', 'kept'],
  ['204, and another that nobody asked for', head('HTTP/1.1 204 No content') + head(OK), 204, '', 'closing'],
  ['204 and the last', head('HTTP/1.1 204 No content', 'Connection: close'), 204, '', 'closing'],
  ['204 and the last, and another', head('HTTP/1.1 204 No content', 'Connection: close') + head(OK), 204, '', 'closing'],
  ['the last, and more than its length', `${head(OK, 'Content-Length: 5', 'Connection: close')}2ad731e3`, 200, '2ad73', 'closing'],
  // llhttp leaves these two to whoever asked for the upgrade; we never do.
  ['101 with a length', `${head('HTTP/1.1 101 S', 'Connection: upgrade', 'Upgrade: h2c', 'Content-Length: 4')}body`, undefined, '', 'refused'],
  ['101 in chunks', `${head('HTTP/1.1 101 S', 'Connection: upgrade', 'Upgrade: h2c', 'Transfer-Encoding: chunked')}2\r\nbo`, undefined, '', 'refused'],
  ['200 that offers an upgrade', `${head(OK, 'Connection: upgrade', 'Upgrade: h2c')}body`, 200, 'body', 'with the connection'],
  ['the same with a length', `${head(OK, 'Connection: upgrade', 'Upgrade: h2c', 'Content-Length: 4')}body`, 200, 'body', 'kept'],
  [
    'the same in chunks',
    `${head(OK, 'Connection: upgrade', 'Upgrade: h2c', 'Transfer-Encoding: chunked')}2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n`,
    200,
    'body',
    'kept',
  ],
  ['304 with a length', head('HTTP/1.1 304 Not Modified', 'Content-Length: 10'), 304, '', 'kept'],
  ['304 in chunks', head('HTTP/1.1 304 Not Modified', 'Transfer-Encoding: chunked'), 304, '', 'kept'],
  ['100, then the answer', `${head('HTTP/1.1 100 Continue')}${head('HTTP/1.1 404 Not Found', 'Content-Length: 9')}Not Found`, 404, 'Not Found', 'kept'],
  [
    '103, then an answer that is not whole',
    `${head('HTTP/1.1 103 E', 'Link: </a>')}${head(OK, 'Content-Length: 17')}sixteen letters!`,
    200,
    'sixteen letters!',
    'waiting',
  ],
];

const length: readonly Row[] = [
  ['no length, the last', `${head(OK, 'Content-Type: text/xml', 'Connection: close')}<a>\n</a>`, 200, '<a>\n</a>', 'with the connection'],
  ['Content-Length-X is no Content-Length', `${head(OK, 'Content-Length-X: 0', 'Transfer-Encoding: chunked')}2\r\nOK\r\n0\r\n\r\n`, 200, 'OK', 'kept'],
  ['tabs around the length', `${head(OK, 'Content-Length:\t42\t')}${'x'.repeat(42)}`, 200, 'x'.repeat(42), 'kept'],
  ['nothing yet of a body without a length', head(OK), 200, '', 'with the connection'],
];

const invalid: readonly Row[] = [
  ['half of HTTP', head('HTP/1.1 200 OK'), undefined, '', 'refused'],
  ['a longer name', head('HTTPER/1.1 200 OK'), undefined, '', 'refused'],
  ['a zero before the major version', head('HTTP/01.1 200 OK'), undefined, '', 'refused'],
  ['two digits of a major version', head('HTTP/11.1 200 OK'), undefined, '', 'refused'],
  ['a zero before the minor version', head('HTTP/1.01 200 OK'), undefined, '', 'refused'],
  ['a tab behind the version', head('HTTP/1.1\t200 OK'), undefined, '', 'refused'],
  ['CR before, a tab behind the version', head('\rHTTP/1.1\t200 OK'), undefined, '', 'refused'],
  ['fields separated by CR', head(OK, 'Foo: 1\rBar: 2'), undefined, '', 'refused'],
  ['CR alone behind the status line', head(`${OK}\rContent-Length: 0`), undefined, '', 'refused'],
  ['two CR behind the status line', head(`${OK}\r\rContent-Length: 4`), undefined, '', 'refused'],
  ['a version that is none', head('HTTP/5.6 200 OK'), undefined, '', 'refused'],
  // llhttp knows it, as it knows RTSP and ICE.
  ['HTTP/0.9', head('HTTP/0.9 200 OK'), undefined, '', 'refused'],
  ['RTSP', head('RTSP/1.1 200 OK'), undefined, '', 'refused'],
  ['ICE', head('ICE/1.1 200 OK'), undefined, '', 'refused'],
  ['a space before the first field', head(OK, ' Host: foo'), undefined, '', 'refused'],
  ['two spaces before the status', head('HTTP/1.1  200 OK'), undefined, '', 'refused'],
  ['two spaces behind the status', head('HTTP/1.1 200  OK', 'Content-Length: 0'), 200, '', 'kept'],
  ['a status of one digit', head('HTTP/1.1 2 OK'), undefined, '', 'refused'],
  ['LF alone, without a body', `${OK}\nContent-Length: 0\n\n`, undefined, '', 'refused'],
  ['LF alone, with a body', `${OK}\nFoo: abc\nBar: def\n\nBODY\n`, undefined, '', 'refused'],
];

const sample: readonly Row[] = [
  ['blanks before a value', head(OK, 'A: b', 'C:\t d', 'Content-Length: 0'), 200, '', 'kept'],
  ['blanks behind a value', `${head('HTTP/1.1 301 Moved', 'X-$A: b', 'Content-Length:  5  ')}Moved`, 301, 'Moved', 'kept'],
  [
    'long fields, one chunk',
    `${head('HTTP/1.1 301 MovedPermanently', `p3p: "${'CAO '.repeat(40)}"`, 'Transfer-Encoding: chunked')}1\r\n\n\r\n0\r\n\r\n`,
    301,
    '\n',
    'kept',
  ],
  ['no fields, no body', head('HTTP/1.1 404 Not Found'), 404, '', 'with the connection'],
  ['no reason', head('HTTP/1.1 301'), 301, '', 'with the connection'],
  ['no reason behind its space', head('HTTP/1.1 200 '), 200, '', 'with the connection'],
  ['LF alone, the last', `${OK}\nConnection: close\n\nbody`, undefined, '', 'refused'],
  ['an underscore in a name', head(OK, 'Content-Length: 0', 'DCLK_imp: v7;x;1/1;;~okv=;;~cs=o'), 200, '', 'kept'],
  ['a field without a value', head('HTTP/1.0 301 Moved', 'Pragma: ', 'Location: x', 'Content-Length: 0', 'Connection: keep-alive'), 301, '', 'kept'],
  [
    'names spoilt by a proxy',
    `${head(OK, '.et-Cookie: a=1; path=/', '_onnection: Keep-Alive', 'Transfer-Encoding: chunked', 'Connection: close')}0\r\n\r\n`,
    200,
    '',
    'closing',
  ],
  ['a space in a name', head(OK, 'en-US Content-Type: text/xml', 'Content-Length: 0'), undefined, '', 'refused'],
  ['a reason that is not ASCII', head('HTTP/1.1 500 Ori\xebntatieprobleem', 'Content-Length: 0', 'Connection: close'), 500, '', 'closing'],
  ['no length, no coding', `${head(OK, 'Content-Type: text/plain')}hello world`, 200, 'hello world', 'with the connection'],
  ['CRLF before the status line', head('\r\nHTTP/1.1 200 OK', 'A: b', 'Content-Length: 0'), 200, '', 'kept'],
  ['three answers to one request', `${head(OK, 'Content-Length: 3')}AAA\r\n${head('HTTP/1.1 201 Created', 'Content-Length: 4')}BBBB`, 200, 'AAA', 'closing'],
];

const coding: readonly Row[] = [
  ['blanks behind a chunk’s size', `${CHUNKED}5  \r\nhello\r\n0  \r\n\r\n`, 200, '', 'refused'],
  ['chunked, and then another coding', `${head(OK, 'Transfer-Encoding: chunked, deflate')}World`, 200, 'World', 'with the connection'],
  ['the same in two fields', `${head(OK, 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity')}World`, 200, 'World', 'with the connection'],
  ['chunkedchunked', `${head(OK, 'Transfer-Encoding: chunkedchunked')}2\r\nOK\r\n0\r\n\r\n`, 200, '2\r\nOK\r\n0\r\n\r\n', 'with the connection'],
  ['chunk extensions', `${CHUNKED}5;a;b=c\r\nhello\r\n6;d;e\r\n world\r\n0\r\n\r\n`, 200, 'hello world', 'kept'],
  ['extensions without a semicolon', `${CHUNKED}2 abc\r\naa\r\n0 abc\r\n\r\n`, 200, '', 'refused'],
  ['a semicolon without an extension', `${CHUNKED}2;\r\naa\r\n0\r\n\r\n`, 200, '', 'refused'],
  ['quoted extensions', `${CHUNKED}5;a="b; c";d="e";f;g=h\r\nhello\r\n6;i;j\r\n world\r\n0\r\n\r\n`, 200, 'hello world', 'kept'],
  ['an extension’s quotation that does not end', `${CHUNKED}5;a="b";c="d; e\r\nhello\r\n0\r\n\r\n`, 200, '', 'refused'],
  // llhttp reads on to the connection's end where it is lenient, and refuses it where it is strict.
  ['a folded coding', `${head(OK, 'Transfer-Encoding: chunked', '  abc')}5\r\nWorld\r\n0\r\n\r\n`, undefined, '', 'refused'],
  ['a chunk of ten', `${CHUNKED}a\r\n0123456789\r\n0\r\n\r\n`, 200, '0123456789', 'kept'],
];

function endsOf(reader: HttpReplyReader, came: string): Ends {
  if (came === 'broken') return 'refused';
  if (came === 'more') return reader.endsWithConnection ? 'with the connection' : 'waiting';
  return reader.reusable ? 'kept' : 'closing';
}

function readIn(size: number, text: string) {
  const bytes = Buffer.from(text, 'latin1');
  const reader = new HttpReplyReader(4_096);
  reader.expect();
  let came: string = 'more';
  let at = 0;
  for (; at < bytes.length && came === 'more'; at += size) came = reader.read(bytes.subarray(at, at + size));
  // What is left was not asked for: the connection ends with it.
  const ends = endsOf(reader, came);
  return [reader.head?.status, reader.body(), ends === 'kept' && at < bytes.length ? 'closing' : ends];
}

describe.each([1, 5, 10_000])('in pieces of %i bytes', (size) => {
  describe.each(Object.entries({ connection, length, invalid, sample, coding }))('%s', (_group, rows) => {
    test.each(rows)('%s', (_name, text, status, body, ends) => {
      expect(readIn(size, text)).toEqual([status, body, ends]);
    });
  });
});
