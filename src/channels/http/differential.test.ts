import { Agent, request } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isBlank } from './grammar.ts';
import { HttpReplyReader } from './reply-reader.ts';

// What a peer may write, good and bad, against Node's own parser (llhttp): the same answer, the same refusal, and no later. Where the
// two differ on purpose EXCEPTIONS says so.

interface Seen {
  readonly status: number | undefined;
  readonly body: string;
  /** All of the body came, be its end told by a length or by the connection's. */
  readonly whole: boolean;
  /** The connection may carry another request. */
  readonly reusable: boolean;
  /** It was given up before the connection ended. */
  readonly refused: boolean;
}

const turns = async (n: number): Promise<void> => {
  for (let i = 0; i < n; i++) await new Promise(setImmediate);
};

/** Node's client on a socket that is none: what it makes of the bytes, and then of the connection's end. */
async function nodeReads(bytes: Buffer): Promise<Seen> {
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = () =>
    Object.assign(socket, { setKeepAlive: () => socket, setNoDelay: () => socket, setTimeout: () => socket, ref() {}, unref() {} });
  const seen = { status: undefined as number | undefined, body: '', whole: false, reusable: false, refused: false };
  const refuse = ({ code }: NodeJS.ErrnoException): void => void (seen.refused ||= code?.startsWith('HPE_') === true);
  const call = request({ agent, method: 'POST', host: 'test', insecureHTTPParser: false }, (response) => {
    seen.status = response.statusCode;
    response.setEncoding('latin1').on('data', (text: string) => (seen.body += text));
    response.on('error', refuse);
    response.on('end', () => (seen.whole = response.complete));
  });
  call.on('error', refuse);
  // A change of protocol, which nobody asked for.
  call.on('upgrade', () => (seen.refused = true));
  call.on('socket', () => socket.push(bytes));
  call.end('x');
  await turns(4);
  seen.reusable = seen.whole && !socket.destroyed && call.shouldKeepAlive && socket.listenerCount('agentRemove') > 0;
  if (!socket.destroyed) socket.push(null);
  await turns(2);
  seen.body = Buffer.from(seen.body, 'latin1').toString();
  // What it makes of bytes behind a whole answer is another matter.
  seen.refused &&= !seen.whole;
  agent.destroy();
  socket.destroy();
  return seen;
}

function oursRead(pieces: readonly Buffer[]): Seen {
  const reader = new HttpReplyReader(65_536);
  reader.expect();
  let came: string = 'more';
  let rest = false;
  for (const piece of pieces) {
    if (came !== 'more') rest ||= !isBlank(piece);
    else came = reader.read(piece);
  }
  const whole = came === 'whole' || (came === 'more' && reader.endsWithConnection);
  // In a later packet it ends the connection, as an idle one or the next request's.
  return { status: reader.head?.status, body: reader.body(), whole, reusable: reader.reusable && !rest, refused: came === 'broken' };
}

const cut = (bytes: Buffer, at: readonly number[]): Buffer[] => {
  const places = [...new Set(at.map((one) => one % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length)).filter((piece) => piece.length > 0);
};

const oneOf = fc.constantFrom<string[]>;
/** A larger number looks further. */
const RUNS = Number(process.env['DIFFERENTIAL_RUNS'] ?? 4_000);
const end = fc.oneof({ weight: 100, arbitrary: fc.constant('\r\n') }, { weight: 1, arbitrary: oneOf('\n', '\r', '\r\r\n', '\n\n', '') });
const status = fc.oneof(
  { weight: 12, arbitrary: oneOf('200 OK', '201 Created', '204 No Content', '304 Not Modified', '400 ', '404', '500 Oops', '299 \xff', '200  OK') },
  oneOf('600', '205 Reset', '1000 x', '099 x', '2 OK', '2x0 OK', '200 a\0b', '200 a\x01b'),
);
const version = fc.oneof(
  { weight: 8, arbitrary: fc.constant('HTTP/1.1 ') },
  { weight: 2, arbitrary: fc.constant('HTTP/1.0 ') },
  oneOf('HTTP/2.0 ', 'HTTP/1.1  ', 'HTTP/1.1\t', 'http/1.1 ', 'ICE/1.0 ', 'HTP/1.1 ', 'HTTP/01.1 ', 'HTTP/1.01 '),
);
const space = fc.oneof({ weight: 60, arbitrary: oneOf('', ' ', '\t', '  ') }, oneOf('\v', '\f', '\xa0', '\x85', '\x00', '\x7f', '\r\n '));
const length = fc.oneof(
  { weight: 8, arbitrary: oneOf('0', '1', '5', '05', '11') },
  oneOf('', '+5', '5,5', '5, 5', '0x5', '5 5', '-1', '5.0', '5;', '00000000000000000005', '99999999999999999999'),
);
const coding = fc.oneof(
  { weight: 8, arbitrary: oneOf('chunked', 'Chunked') },
  oneOf(
    '',
    'gzip',
    'gzip, chunked',
    'gzip,chunked',
    ', chunked',
    'chunked,',
    'chunked, chunked',
    'chunked, gzip',
    'identity',
    'xchunked',
    'chunkedchunked',
    'chunked;q=1',
  ),
);
const connection = oneOf('close', 'keep-alive', 'Keep-Alive', 'CLOSE', 'upgrade', 'close, keep-alive', 'x, close', 'foo');
// Node takes a tab behind "chunked" for a part of it (RFC 9110 section 5.5 does not).
const header = (name: string, value: fc.Arbitrary<string>) =>
  fc.tuple(oneOf(name, name.toLowerCase(), name.toUpperCase()), space, value, space).map(([key, a, text, b]) => `${key}:${a}${text}${b === '\t' ? ' ' : b}`);
const framing = fc.oneof({ weight: 6, arbitrary: header('Content-Length', length) }, { weight: 4, arbitrary: header('Transfer-Encoding', coding) });
const headers = fc.oneof(
  { weight: 2, arbitrary: framing },
  { weight: 4, arbitrary: header('Connection', connection) },
  { weight: 6, arbitrary: header('X-Any', oneOf('b', '', 'a: b', '\xe4', '"a,b"', 'b\x0bc', 'b\x7f')) },
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
    arbitrary: fc
      .tuple(
        oneOf('5', '05', '0000000000000005', '1;a=b', '5;a', '5;a=', '5;=b', '5;a;b=c', '5;;a', '5;a="b c"', '5;a="b;c";d', '5;a="b\\"c"', '5;a=b"c"', 'b'),
        end,
      )
      .map(([size, a]) => `${size}${a}${'hello world'.slice(0, Number.parseInt(size, 16))}`),
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
    '5 \r\nhello',
    '5\t\r\nhello',
    '5 a\r\nhello',
    '5;\r\nhello',
    '5;;\r\nhello',
    '5 ;a\r\nhello',
    '5; a\r\nhello',
    '5;a =b\r\nhello',
    '5;a= b\r\nhello',
    '5;a=b \r\nhello',
    '5;a="b\r\nhello',
    '5;a="b"c\r\nhello',
    '5;a="\\\r\nhello',
    '5;\xe4\r\nhello',
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
      '0 \r\n\r\n',
      '0\r\nContent-Length: 5\r\n\r\n',
      '0\r\nX: y\r\n z\r\n\r\n',
    ),
  )
  .map(([some, last]) => some.join('') + last);
const body = fc.oneof({ weight: 3, arbitrary: oneOf('', 'h', 'hello', 'hello world', 'hello more') }, { weight: 3, arbitrary: chunks });
const framed = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(framing, body) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('Content-Length: 5'), oneOf('hello', 'hello', 'hello more', 'hell')) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('Transfer-Encoding: chunked'), chunks) },
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
    'HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\n',
    'HTTP/1.1 100 Continue\n\n',
    'HTTP/1.1 100 Continue\r\n\r\n\r\n',
    '\r\n',
    '\r\n\r\n\n',
    ' ',
  ),
);
const follows = fc.oneof({ weight: 9, arbitrary: fc.constant('') }, oneOf('HTTP/1.1 200 OK\r\n', '\r\n', '\r\n\n', '\r\nx', 'x', '\x00'));
const whole = fc
  .tuple(interim, version, status, end, others, framed, end, end, follows)
  .map(([before, a, b, c, d, [header, text], e, f, after]) => `${before}${a}${b}${c}${d.join('')}${header}${e}${f}${text}${after}`);
const replies = fc
  .tuple(whole, fc.oneof({ weight: 9, arbitrary: fc.constant('as it is') }, oneOf('cut', 'by LF alone')), fc.nat(200))
  .map(([text, change, at]) => {
    if (change === 'by LF alone') return Buffer.from(text.replaceAll('\r\n', '\n'), 'latin1');
    return Buffer.from(change === 'cut' ? text.slice(0, at) : text, 'latin1');
  });

/** The head of the final answer, so far as it came. */
const headOf = (text: string): string => text.replace(/^\s*(?:HTTP\/1\.1 10[0-9][^]*?\r\n\r\n\s*)?/, '').replace(/\r\n\r\n[^]*$/, '');
const valuesOf = (head: string, name: string): string[] =>
  [...head.matchAll(new RegExp(`^${name}:(.*)$`, 'gim'))].map(([, value = '']) => value.replace(/^[ \t]+|[ \t]+$/g, ''));

type Difference = 'refused by us alone' | 'status for us alone' | 'whole for Node alone' | 'reusable for Node alone';

interface Exception {
  readonly why: string;
  readonly may: Difference;
  readonly applies: (text: string) => boolean;
  readonly example: string;
}

/** Where the two differ on purpose, and in what. */
const EXCEPTIONS: readonly Exception[] = [
  {
    why: 'another protocol or version',
    may: 'refused by us alone',
    applies: (text) => /^(?:I|HTTP\/[02])/m.test(text),
    example: 'HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n',
  },
  {
    why: 'a status below 100, which is none',
    may: 'refused by us alone',
    applies: (text) => /^HTTP\/1\.[01] 0/m.test(text),
    example: 'HTTP/1.1 099 x\r\nContent-Length: 0\r\n\r\n',
  },
  {
    why: 'a NUL in the status line',
    may: 'refused by us alone',
    applies: (text) => /^HTTP\/1\.[01] [^\r\n]*\0/m.test(text),
    example: 'HTTP/1.1 200 a\0b\r\nContent-Length: 0\r\n\r\n',
  },
  {
    why: 'a change of protocol that nobody asked for',
    may: 'refused by us alone',
    applies: (text) => /^HTTP\/1\.1 101 /m.test(text),
    example: 'HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  },
  {
    // The status line is beyond doubt, and it alone is the verdict. The connection is not used again.
    why: 'a length that is none, or two of them',
    may: 'status for us alone',
    applies: (text) => {
      const head = headOf(text);
      const [lengths, codings] = [valuesOf(head, 'content-length'), valuesOf(head, 'transfer-encoding')];
      return lengths.length + Math.min(codings.length, 1) > 1 || lengths.some((one) => !/^0*\d{1,15}$/.test(one)) || codings.includes('');
    },
    example: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  },
  {
    why: 'a control character in a field',
    may: 'status for us alone',
    // oxlint-disable-next-line no-control-regex
    applies: (text) => /[\x0b\x0c\x7f]/.test(headOf(text)),
    example: 'HTTP/1.1 200 OK\r\nX-Any: b\x0bc\r\nContent-Length: 0\r\n\r\n',
  },
  {
    why: 'an interim answer that ends the connection',
    may: 'status for us alone',
    applies: (text) => /^\s*HTTP\/1\.1 100[^]*close/.test(text),
    example: 'HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  },
  {
    why: 'a control character in the status line',
    may: 'reusable for Node alone',
    // oxlint-disable-next-line no-control-regex
    applies: (text) => /^HTTP\/1\.[01] [^\r\n]*[\x01\x0b\x0c\x7f]/m.test(text),
    example: 'HTTP/1.1 200 a\x01b\r\nContent-Length: 0\r\n\r\n',
  },
  {
    why: 'any word with "close" in it, beside others',
    may: 'reusable for Node alone',
    applies: (text) => /^connection:.*close/im.test(text),
    example: 'HTTP/1.0 200 OK\r\nConnection: close, keep-alive\r\nContent-Length: 0\r\n\r\n',
  },
  {
    why: 'a coding that is not "chunked" alone, or in HTTP/1.0',
    may: 'reusable for Node alone',
    applies: (text) => /^HTTP\/1\.0/m.test(text) || !/^(?:chunked)?$/i.test(valuesOf(headOf(text), 'transfer-encoding').join()),
    example: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  },
  {
    why: 'half an answer behind it, which nobody asked for',
    may: 'reusable for Node alone',
    applies: (text) => /\r\n\r\n[^]*H(?:T|TT|TTP[ -~]*\r?\n?)?$/.test(text),
    example: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n',
  },
];

/** The first of them: the others follow from it. */
function difference(ours: Seen, node: Seen): Difference | undefined {
  if (ours.refused && !node.refused) return 'refused by us alone';
  if (ours.status !== undefined && node.status === undefined) return 'status for us alone';
  if (node.whole && !ours.whole) return 'whole for Node alone';
  return node.reusable && !ours.reusable ? 'reusable for Node alone' : undefined;
}

test(
  'what ours and Node’s parser make of an answer',
  async () => {
    const counts = { reusable: 0, refused: 0, ended: 0 };
    const used = new Set<string>();
    const check = async (bytes: Buffer, places: readonly number[]): Promise<void> => {
      const reply = bytes.toString('latin1');
      const ours = oursRead([bytes]);
      const node = await nodeReads(bytes);
      const all = { reply, ours, node };
      expect({ reply, ...oursRead(cut(bytes, places)) }).toEqual({ reply, ...ours });
      // What leaves its connection fit for use can have been read in no other way.
      if (ours.reusable) expect(ours, reply).toEqual(node);
      if (ours.whole && node.whole) expect([ours.status, ours.body], reply).toEqual([node.status, node.body]);
      // What Node does not wait for is not waited for here either.
      const isException = (difference: Difference | undefined) => EXCEPTIONS.find(({ may, applies }) => may === difference && applies(reply));
      if (node.refused && !isException('status for us alone')) expect(ours.refused, JSON.stringify(all)).toBe(true);
      const found = difference(ours, node);
      const exception = isException(found);
      if (found) expect(exception, `${found}: ${JSON.stringify(all)}`).toBeDefined();
      if (exception) used.add(exception.why);
      counts.reusable += Number(ours.reusable);
      counts.refused += Number(ours.refused);
      counts.ended += Number(ours.whole && !ours.reusable);
    };
    await fc.assert(fc.asyncProperty(replies, fc.array(fc.nat(600), { maxLength: 6 }), check), {
      numRuns: RUNS,
      examples: EXCEPTIONS.map(({ example }): [Buffer, number[]] => [Buffer.from(example, 'latin1'), []]),
    });
    for (const [what, count] of Object.entries(counts)) expect(count, what).toBeGreaterThan(RUNS / 30);
    expect([...used].toSorted()).toEqual(EXCEPTIONS.map(({ why }) => why).toSorted());
  },
  20_000 + RUNS * 5,
);
