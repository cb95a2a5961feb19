import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PublicIds, type Purpose, type Sealed, Tokens } from './tokens.ts';

const PURPOSES: Purpose[] = ['answer', 'share', 'unsubscribe', 'receipt', 'bounce', 'beacon', 'join'];
const ring = (...ids: string[]) => ({ keys: ids.map((id) => ({ id, secret: randomBytes(32) })) });
const value = fc.record({
  a: fc.integer({ min: 0, max: 2 ** 40 - 1 }),
  b: fc.integer({ min: 0, max: 2 ** 40 - 1 }),
  extra: fc.integer({ min: 0, max: 2 ** 16 - 1 }),
});
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const randomToken = (first: string): string => first + Array.from(randomBytes(22), (byte) => ALPHABET[byte % 62]).join('');

test('what is sealed for a purpose opens for that purpose and for no other', () => {
  const tokens = new Tokens(ring('a'));
  fc.assert(
    fc.property(value, fc.constantFrom(...PURPOSES), (sealed, purpose) => {
      const token = tokens.seal(purpose, sealed);
      expect(token).toMatch(/^[0-9A-Za-z]{23}$/);
      expect(tokens.open(purpose, token)).toEqual(sealed);
      for (const other of PURPOSES) if (other !== purpose) expect(tokens.open(other, token)).toBeUndefined();
    }),
  );
});

test('the lower form survives any change of case and opens for its purpose alone', () => {
  const tokens = new Tokens(ring('Z'));
  fc.assert(
    fc.property(value, (sealed) => {
      const token = tokens.sealLower('bounce', sealed);
      expect(token).toMatch(/^[0-9a-z]{34}$/);
      expect(tokens.openLower('bounce', token)).toEqual(sealed);
      expect(tokens.openLower('bounce', token.toUpperCase())).toEqual(sealed);
      expect(tokens.openLower('receipt', token)).toBeUndefined();
    }),
  );
});

test('a hundred thousand random tokens open nothing', () => {
  const tokens = new Tokens(ring('a'));
  let opened = 0;
  for (let i = 0; i < 100_000; i++) if (tokens.open('answer', randomToken('a'))) opened += 1;
  expect(opened).toBe(0);
});

test('a token with any one character changed is refused', () => {
  const tokens = new Tokens(ring('a'));
  const token = tokens.seal('answer', { a: 5, b: 7, extra: 0 });
  for (let i = 0; i < token.length; i++) {
    const changed = token.slice(0, i) + (token[i] === 'x' ? 'y' : 'x') + token.slice(i + 1);
    expect(tokens.open('answer', changed), changed).toBeUndefined();
  }
});

test.each([
  '',
  'a',
  'a'.repeat(22),
  'a'.repeat(24),
  `a${'z'.repeat(22)}`,
  `a${'-'.repeat(22)}`,
  `a${'é'.repeat(22)}`,
  '../../etc/passwd',
  'a\u0000'.padEnd(23, 'b'),
])('malformed token %j is refused without an error', (token) => {
  const tokens = new Tokens(ring('a'));
  for (const purpose of PURPOSES) {
    expect(tokens.open(purpose, token)).toBeUndefined();
    expect(tokens.openLower(purpose, token)).toBeUndefined();
  }
});

test('rotation: the new key seals, the old one still opens until it is taken out', () => {
  const [a, b] = ring('a', 'b').keys;
  if (!a || !b) throw new Error('two keys');
  const sealed: Sealed = { a: 1, b: 2, extra: 3 };
  const old = new Tokens({ keys: [a] }).seal('answer', sealed);
  const both = new Tokens({ keys: [b, a] });
  expect(both.open('answer', old)).toEqual(sealed);
  expect(both.seal('answer', sealed)[0]).toBe('b');
  expect(new Tokens({ keys: [b] }).open('answer', old)).toBeUndefined();
});

test('installations with different keys do not open each other’s tokens', () => {
  const token = new Tokens(ring('a')).seal('share', { a: 1, b: 2, extra: 0 });
  expect(new Tokens(ring('a')).open('share', token)).toBeUndefined();
});

test('the longer a name of a key, the same the length of a token', () => {
  for (const id of ['a', 'k1', '2026-11', 'ключ']) {
    const tokens = new Tokens(ring(id));
    const token = tokens.seal('answer', { a: 1, b: 1, extra: 0 });
    expect(token).toHaveLength(23);
    expect(tokens.open('answer', token)).toEqual({ a: 1, b: 1, extra: 0 });
  }
});

test('numbers that do not fit are refused instead of cut', () => {
  const tokens = new Tokens(ring('a'));
  expect(() => tokens.seal('answer', { a: 2 ** 40, b: 1, extra: 0 })).toThrow(RangeError);
  expect(() => tokens.sealMany('answer', [{ a: 1, b: 2 ** 40, extra: 0 }])).toThrow(RangeError);
  expect(() => tokens.seal('answer', { a: 1, b: -1, extra: 0 })).toThrow(RangeError);
  expect(() => tokens.seal('answer', { a: 1, b: 1, extra: 2 ** 16 })).toThrow(RangeError);
});

test('keyed hashes: right text, right purpose and any key of the ring', () => {
  const [a, b] = ring('a', 'b').keys;
  if (!a || !b) throw new Error('two keys');
  const mac = new Tokens({ keys: [a] }).mac('nonce', 'text');
  const both = new Tokens({ keys: [b, a] });
  expect(both.verifyMac('nonce', 'text', mac)).toBe(true);
  expect(both.verifyMac('nonce', 'text', mac.subarray(0, 16))).toBe(true);
  expect(both.verifyMac('nonce', 'other', mac)).toBe(false);
  expect(both.verifyMac('visit', 'text', mac)).toBe(false);
  expect(both.verifyMac('nonce', 'text', mac.subarray(0, 4)), 'a stump of a hash proves nothing').toBe(false);
  expect(both.verifyMac('nonce', 'text', Buffer.alloc(0))).toBe(false);
  expect(new Tokens({ keys: [b] }).verifyMac('nonce', 'text', mac)).toBe(false);
});

test('keyed hashes are HMAC-SHA-256 of a text of any length: what was stored under one is found for ever', () => {
  const [key] = ring('a').keys;
  if (!key) throw new Error('a key');
  const tokens = new Tokens({ keys: [key] });
  const derived = Buffer.from(hkdfSync('sha256', key.secret, '', 'muster mac:erasure', 16));
  for (const text of ['', 'é', 'phone +12025550123', 'x'.repeat(512), 'ü'.repeat(257), 'x'.repeat(20_000), 'short again'])
    expect(tokens.mac('erasure', text)).toEqual(createHmac('sha256', derived).update(text).digest());
});

test('a token has one spelling: the same block and 128 bits more are refused', () => {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const tokens = new Tokens(ring('a'));
  const token = tokens.seal('answer', { a: 5, b: 7, extra: 0 });
  let more = [...token.slice(1)].reduce((n, digit) => n * 62n + BigInt(digits.indexOf(digit)), 0n) + (1n << 128n);
  let text = '';
  for (let i = 0; i < 22; i++, more /= 62n) text = `${digits[Number(more % 62n)]}${text}`;
  expect(tokens.open('answer', `a${text}`)).toBeUndefined();
  expect(tokens.open('answer', token)).toEqual({ a: 5, b: 7, extra: 0 });
});

test('public ids: back and forth, of one kind, of one installation, never in order', () => {
  const ids = new PublicIds(randomBytes(16));
  expect(ids.decode('msg', ids.encode('msg', '42'))).toBe('42');
  expect(ids.encode('msg', 42)).toMatch(/^msg_[0-9A-Za-z]{22}$/);
  const encoded = ids.encode('msg', 42);
  expect(ids.decode('rcp', encoded)).toBeUndefined();
  expect(ids.decode('rcp', encoded.replace('msg_', 'rcp_')), 'the kind is inside the block too').toBeUndefined();
  expect(new PublicIds(randomBytes(16)).decode('msg', encoded)).toBeUndefined();
  const many = Array.from({ length: 100 }, (_, i) => ids.encode('msg', i));
  expect(new Set(many).size).toBe(100);
  expect([...many].sort()).not.toEqual(many);
});

test.each(['', 'msg_', '42', 'msg_42', `msg_${'0'.repeat(22)}`, `msg_${'z'.repeat(22)}`, 'MSG_0000000000000000000000'])(
  'id %j that was never given out is refused',
  (text) => {
    expect(new PublicIds(randomBytes(16)).decode('msg', text)).toBeUndefined();
  },
);
