import fc from 'fast-check';
import { expect, test } from 'vitest';
import { enhancedCode, type Reply, ReplyReader } from './reply-reader.ts';

/** What is read of the pieces, up to what is no reply. */
function readAll(pieces: readonly Buffer[]): { replies: Reply[]; broken: boolean } {
  const reader = new ReplyReader();
  const replies: Reply[] = [];
  for (const piece of pieces) {
    replies.push(...reader.read(piece));
    if (reader.broken) break;
  }
  return { replies, broken: reader.broken };
}

const cut = (bytes: Buffer, at: readonly number[]): Buffer[] => {
  const places = [...new Set(at.map((one) => one % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length)).filter((piece) => piece.length > 0);
};

const said = (...texts: string[]) => texts.map((text) => ({ code: Number(text.slice(0, 3)), text }));
const LONG = 'x'.repeat(70_000);

test.each<[string, string, Reply[], boolean]>([
  ['one line', '250 Ok\r\n', said('250 Ok'), false],
  ['several replies', '250 2.1.0 Ok\r\n550 5.1.1 No\r\n354 Go on\r\n', said('250 2.1.0 Ok', '550 5.1.1 No', '354 Go on'), false],
  ['several lines', '250-one\r\n250-two\r\n250 three\r\n', said('250-one\n250-two\n250 three'), false],
  ['a last line without words', '250-one\r\n250\r\n', said('250-one\n250'), false],
  ['lines without words', '250-\r\n250-\r\n250 \r\n', said('250-\n250-\n250 '), false],
  ['no words, no space', '250\r\n', said('250'), false],
  ['a code of three digits with more behind it', '2500 Ok\r\n', [], true],
  ['a tab behind the code', '250\tOk\r\n', [], true],
  ['LF alone', '250-one\n250 two\n250 Ok\n', said('250-one\n250 two', '250 Ok'), false],
  ['CR in the words', '250 a\rb\r\n', said('250 a\rb'), false],
  ['CR behind the code', '250\rOk\r\n', [], true],
  ['empty lines between replies', '\r\n250 Ok\r\n\r\n \r\n250 Ok\r\n', said('250 Ok', '250 Ok'), false],
  ['a reply that never ends', '250-one\r\n250-two\r\n', [], false],
  ['a line that is not whole', '250 O', [], false],
  ['two codes in one reply', '250-one\r\n550 two\r\n', [], true],
  ['a reply, then two codes in one', '250 Ok\r\n250-one\r\n251 two\r\n250 Ok\r\n', said('250 Ok'), true],
  ['a code of another world', '250 Ok\r\n999 Ok\r\n', said('250 Ok'), true],
  ['an intermediate reply, which SMTP has none of', '150 Wait\r\n', [], true],
  ['no code', 'Hello\r\n', [], true],
  ['a space before the code', ' 250 Ok\r\n', [], true],
  ['words beyond ASCII', '550 5.1.1 Postfach nicht verf\xfcgbar: \xe9\xff\x00\r\n', said('550 5.1.1 Postfach nicht verf\xfcgbar: \xe9\xff\x00'), false],
  ['one line that is too long', `250 ${LONG}\r\n`, [], true],
  ['the same without an end', `250 ${LONG}`, [], true],
  ['too many lines', '250-x\r\n'.repeat(12_000), [], true],
])('%s', (_name, text, replies, broken) => {
  const bytes = Buffer.from(text, 'latin1');
  expect(readAll([bytes])).toEqual({ replies, broken });
  const byBytes =
    text.length > 1_000
      ? cut(
          bytes,
          Array.from({ length: 80 }, (_, i) => i * 1_009),
        )
      : Array.from(bytes, (byte) => Buffer.from([byte]));
  expect(readAll(byBytes)).toEqual({ replies, broken });
});

const line = fc
  .tuple(
    fc.constantFrom('250', '354', '421', '550', '25', '999', ''),
    fc.constantFrom(' ', ' ', ' ', '-', ''),
    fc.constantFrom('Ok', '2.1.0 ok', 'ä€\u{1F600}', '', 'a\rb', '5.1.1'),
    fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r\r\n'),
  )
  .map((parts) => parts.join(''));

test('however it was cut on its way, it says the same', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.array(fc.nat(200), { maxLength: 8 }), (lines, places) => {
      const bytes = Buffer.from(lines.join(''));
      const whole = readAll([bytes]);
      expect(readAll(cut(bytes, places))).toEqual(whole);
      for (const { code, text } of whole.replies) for (const one of text.split('\n')) expect(one.slice(0, 3)).toBe(String(code));
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ['550 5.1.1 No such user', '5.1.1'],
  ['550-5.1.1 No such\n550 5.1.1 user', '5.1.1'],
  ['550-Sorry.\n550 5.7.1 Not here', '5.7.1'],
  ['550-Sorry.\n550 not 5.7.1', undefined],
  ['250 3.1.1 Ok', undefined],
  ['550 5.1.1111 No', undefined],
  ['550 5.1.1.', '5.1.1'],
  ['550', undefined],
])('%s has the enhanced code %s', (text, code) => {
  expect(enhancedCode(text)).toBe(code);
});
