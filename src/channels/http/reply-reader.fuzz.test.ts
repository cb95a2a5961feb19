import { Agent, request } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HttpReplyReader } from './reply-reader.ts';

// What a peer may write, good and bad, against Node's own parser: where ours calls an answer whole and its connection fit
// for another request, Node's must have read the same answer and nothing else. The other way round ours may be stricter.

interface Seen {
  readonly status: number | undefined;
  readonly body: string;
}

/** Node's client on a socket that is none. Undefined: to Node it is no answer, or not whole, or the connection is spent. */
function nodeReads(bytes: Buffer): Promise<Seen | undefined> {
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () =>
    Object.assign(socket, { setKeepAlive: () => socket, setNoDelay: () => socket, setTimeout: () => socket, ref() {}, unref() {} });
  return new Promise((done) => {
    const call = request({ agent, method: 'POST', host: 'test', insecureHTTPParser: false }, (response) => {
      let body = '';
      response.setEncoding('latin1').on('data', (text: string) => (body += text));
      response.on('end', () => {
        const { statusCode: status, complete } = response;
        // A free socket is one that the agent would use again.
        setImmediate(() => end(complete && !socket.destroyed && socket.listenerCount('agentRemove') > 0 ? { status, body } : undefined));
      });
    });
    const end = (seen: Seen | undefined): void => {
      done(seen);
      agent.destroy();
      socket.destroy();
    };
    call.on('error', () => end(undefined));
    call.on('socket', () => {
      socket.push(bytes);
      // Whatever Node makes of it, it has made by then.
      setImmediate(() => setImmediate(() => setImmediate(() => end(undefined))));
    });
    call.end('x');
  });
}

function oursReads(pieces: readonly Buffer[]): { came: string; reusable: boolean; status: number | undefined; body: string } {
  const reader = new HttpReplyReader(65_536);
  reader.expect();
  let came: string = 'more';
  let rest = false;
  for (const piece of pieces) {
    if (came !== 'more') rest = true;
    else came = reader.read(piece);
  }
  // In a later packet it ends the connection, as an idle one or the next request's.
  return { came, reusable: reader.reusable && !rest, status: reader.head?.status, body: Buffer.from(reader.body()).toString('latin1') };
}

const cut = (bytes: Buffer, at: readonly number[]): Buffer[] => {
  const places = [...new Set(at.map((one) => one % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length)).filter((piece) => piece.length > 0);
};

const oneOf = fc.constantFrom<string[]>;
const RUNS = 5_000;
const end = fc.oneof({ weight: 100, arbitrary: fc.constant('\r\n') }, { weight: 1, arbitrary: oneOf('\n', '\r', '\r\r\n', '\n\n', '') });
const status = oneOf('200 OK', '201 Created', '204 No Content', '304 Not Modified', '400 ', '404', '205 Reset', '500 Oops', '299 \xff', '1000 x', '099 x');
const version = fc.oneof(
  { weight: 8, arbitrary: fc.constant('HTTP/1.1 ') },
  { weight: 2, arbitrary: fc.constant('HTTP/1.0 ') },
  oneOf('HTTP/2.0 ', 'HTTP/1.1  ', 'http/1.1 ', '\r\nHTTP/1.1 ', 'ICE/1.0 '),
);
const space = fc.oneof({ weight: 12, arbitrary: oneOf('', ' ', '\t', '  ') }, oneOf('\v', '\f', '\xa0', '\x85', '\x00', '\x7f', '\r\n '));
const length = fc.oneof(
  { weight: 8, arbitrary: oneOf('0', '1', '5', '05', '11') },
  oneOf('', '+5', '5,5', '5, 5', '0x5', '5 5', '-1', '5.0', '5;', '99999999999999999999'),
);
const coding = fc.oneof(
  { weight: 8, arbitrary: oneOf('chunked', 'Chunked') },
  oneOf('gzip', 'gzip, chunked', 'chunked, chunked', 'chunked, gzip', 'identity', 'xchunked', 'chunked;q=1'),
);
const connection = oneOf('close', 'keep-alive', 'Keep-Alive', 'CLOSE', 'upgrade', 'close, keep-alive', 'x, close', 'foo');
// Node takes a tab behind "chunked" for a part of it (RFC 9110 section 5.5 does not).
const header = (name: string, value: fc.Arbitrary<string>) =>
  fc.tuple(oneOf(name, name.toLowerCase(), name.toUpperCase()), space, value, space).map(([key, a, text, b]) => `${key}:${a}${text}${b === '\t' ? ' ' : b}`);
const headers = fc.oneof(
  { weight: 6, arbitrary: header('Content-Length', length) },
  { weight: 4, arbitrary: header('Transfer-Encoding', coding) },
  { weight: 2, arbitrary: header('Connection', connection) },
  { weight: 2, arbitrary: header('X-Any', oneOf('b', '', 'a: b', '\xe4', '"a,b"')) },
  oneOf(
    ' folded: line',
    '\tfolded',
    'no colon',
    ': nameless',
    'Content-Length : 5',
    'Content_Length: 5',
    'Transfer-Encoding : chunked',
    'Content-Length:',
    'a\x00b: c',
    'X\xa0: y',
    'Keep-Alive: timeout=5',
    'Upgrade: h2c',
    '__proto__: x',
    'Trailer: X',
    'Content-Length\t: 1',
  ),
);
const chunk = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(oneOf('5', '05', '1;a=b', '5;a="b c"', 'b'), end).map(([size, a]) => `${size}${a}${'hello world'.slice(0, Number.parseInt(size, 16))}`),
  },
  oneOf(
    ' 5\r\nhello',
    '0x5\r\nhello',
    '-1\r\nh',
    '5\r\nhell',
    'ffffffff1\r\nhello',
    'z\r\nhello',
    '5;\nhello',
    '+5\r\nhello',
    '5;a\rb\r\nhello',
    '5\x00\r\nhello',
  ),
);
const chunks = fc
  .tuple(
    fc.array(
      fc.tuple(chunk, end).map((parts) => parts.join('')),
      { maxLength: 3 },
    ),
    oneOf(
      '0\r\n\r\n',
      '0\r\nX: y\r\n\r\n',
      '0;x\r\n\r\n',
      '000\r\n\r\n',
      '0\r\n',
      '0\n\n',
      '0\r\nX: y\n\r\n',
      '0\r\nno colon\r\n\r\n',
      '0\r\n\r\n0\r\n\r\n',
      '0\r\n folded\r\n\r\n',
      '0\r\nX : y\r\n\r\n',
    ),
  )
  .map(([some, last]) => some.join('') + last);
const body = fc.oneof({ weight: 3, arbitrary: oneOf('', 'h', 'hello', 'hello world', 'hello more') }, { weight: 3, arbitrary: chunks });
const framed = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(headers, body) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('Content-Length: 5'), oneOf('hello', 'hello', 'hello more', 'hell')) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('Transfer-Encoding: chunked'), chunks) },
);
const others = fc.array(
  fc.tuple(headers, end).map((parts) => parts.join('')),
  { maxLength: 2 },
);
const interim = fc.oneof(
  { weight: 8, arbitrary: fc.constant('') },
  oneOf(
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n',
    'HTTP/1.1 101 Switching\r\n\r\n',
    'HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n',
    'HTTP/1.1 102 x\r\nTransfer-Encoding: chunked\r\n\r\n',
  ),
);
const follows = fc.oneof({ weight: 9, arbitrary: fc.constant('') }, oneOf('HTTP/1.1 200 OK\r\n', '\r\n', 'x', '\x00'));
const replies = fc
  .tuple(interim, version, status, end, others, framed, end, end, follows)
  .map(([before, a, b, c, d, [header, text], e, f, after]) => Buffer.from(`${before}${a}${b}${c}${d.join('')}${header}${e}${f}${text}${after}`, 'latin1'));

test('an answer that is whole and leaves its connection fit for use is the same to Node’s parser, however it was cut', async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(replies, fc.array(fc.nat(600), { maxLength: 6 }), async (bytes, places) => {
      const ours = oursReads([bytes]);
      const inPieces = oursReads(cut(bytes, places));
      expect({ ...inPieces, reusable: ours.reusable }).toEqual(ours);
      if (ours.came !== 'whole' || !ours.reusable) return;
      compared++;
      expect({ reply: bytes.toString('latin1'), inPieces: inPieces.reusable, node: await nodeReads(bytes) }).toEqual({
        reply: bytes.toString('latin1'),
        inPieces: true,
        node: { status: ours.status, body: ours.body },
      });
    }),
    { numRuns: RUNS },
  );
  expect(compared).toBeGreaterThan(RUNS / 50);
});
