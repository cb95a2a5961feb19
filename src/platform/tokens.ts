import {
  type Cipheriv,
  createCipheriv,
  createDecipheriv,
  type Decipheriv,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Value of each digit by its character code. */
const VALUE: readonly (number | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const value = ALPHABET.indexOf(String.fromCharCode(code));
  return value === -1 ? undefined : value;
});
/** Digits of 128 bits in base62. */
const BLOCK_CHARS = 22;

/** What a sealed block is for; a token of one purpose is refused for every other. */
export type Purpose = 'answer' | 'share' | 'unsubscribe' | 'receipt' | 'bounce' | 'beacon' | 'join' | `id:${string}`;

const PURPOSE_BYTE: Record<string, number> = { answer: 1, share: 2, unsubscribe: 3, receipt: 4, bounce: 5, beacon: 6, join: 7 };

export interface Sealed {
  /** A number of at most 2^40 - 1. */
  readonly a: number;
  /** A number of at most 2^40 - 1. */
  readonly b: number;
  /** At most 2^16 - 1; holds small extra facts such as channel and wave. */
  readonly extra: number;
}

/** Writes the 16 bytes of a plain block at `at`: purpose (1 byte), a (5), b (5), extra (2) and zeros for the check (3). */
function packInto(block: Buffer, at: number, purposeByte: number, { a, b, extra }: Sealed): void {
  if (a >= 2 ** 40 || b >= 2 ** 40) throw new RangeError('a sealed number has 40 bits');
  block[at] = purposeByte;
  block[at + 1] = a / 2 ** 32;
  block.writeUInt32BE(a % 2 ** 32, at + 2);
  block[at + 6] = b / 2 ** 32;
  block.writeUInt32BE(b % 2 ** 32, at + 7);
  block.writeUInt16BE(extra, at + 11);
}

function pack(purposeByte: number, sealed: Sealed): Buffer {
  const block = Buffer.alloc(16);
  packInto(block, 0, purposeByte, sealed);
  return block;
}

/**
 * Each key keeps one cipher for each direction. Setting one up for each token cost 18-28 us, nearly all of the 20 that a seal
 * took and a fifth of a worker's time; a kept one costs about 1 us.
 */
const ciphers = new WeakMap<KeyObject, { seal: Cipheriv; open: Decipheriv }>();

function crypt(key: KeyObject, block: Buffer, seal: boolean): Buffer {
  let pair = ciphers.get(key);
  if (!pair) {
    // A token is one block, so ECB is the plain block cipher: no second block can leak a pattern, and no state stays between two.
    pair = { seal: createCipheriv('aes-128-ecb', key, null).setAutoPadding(false), open: createDecipheriv('aes-128-ecb', key, null).setAutoPadding(false) };
    ciphers.set(key, pair);
  }
  return (seal ? pair.seal : pair.open).update(block);
}

/** 62^6. Six digits are taken at a time, since a remainder of 16 more bits is still exact in a double. */
const SIX_DIGITS = 56_800_235_584;
const THREE_DIGITS = 238_328;
const limbs = new Float64Array(8);

/** Writes the 16 bytes at `at` as 22 digits at `to`. Big integers took four times as long and left 2 KB of garbage. */
function writeBase62(block: Buffer, at: number, out: Buffer, to: number): void {
  for (let i = 0; i < 8; i++) limbs[i] = block.readUInt16BE(at + 2 * i);
  for (let end = to + BLOCK_CHARS; end > to; end -= 6) {
    let rest = 0;
    for (let i = 0; i < 8; i++) {
      const n = rest * 65_536 + (limbs[i] ?? 0);
      const quotient = Math.floor(n / SIX_DIGITS);
      limbs[i] = quotient;
      rest = n - quotient * SIX_DIGITS;
    }
    const high = Math.floor(rest / THREE_DIGITS);
    for (let i = end - 1, three = rest - high * THREE_DIGITS, digit = 0; digit < 6 && i >= to; digit++, i--) {
      if (digit === 3) three = high;
      out[i] = ALPHABET.charCodeAt(three % 62);
      three = (three / 62) | 0;
    }
  }
}

function toBase62(block: Buffer): string {
  const digits = Buffer.allocUnsafe(BLOCK_CHARS);
  writeBase62(block, 0, digits, 0);
  return digits.toString('latin1');
}

/** Up to eight digits as a number, which a double holds exactly; NaN for anything else. */
function digitsOf(text: string, from: number, to: number): number {
  let n = 0;
  for (let i = from; i < to; i++) n = n * 62 + (VALUE[text.charCodeAt(i)] ?? Number.NaN);
  return n;
}

/** The inverse of `writeBase62`; undefined for other characters and for more than 128 bits. */
function fromBase62(text: string): Buffer | undefined {
  if (text.length !== BLOCK_CHARS) return undefined;
  limbs.fill(0);
  for (let from = 0, to = BLOCK_CHARS % 6; from < BLOCK_CHARS; from = to, to += 6) {
    let carry = digitsOf(text, from, to);
    if (Number.isNaN(carry)) return undefined;
    for (let i = 7; i >= 0; i--) {
      const n = (limbs[i] ?? 0) * SIX_DIGITS + carry;
      carry = Math.floor(n / 65_536);
      limbs[i] = n - carry * 65_536;
    }
    if (carry > 0) return undefined;
  }
  const block = Buffer.allocUnsafe(16);
  for (let i = 0; i < 8; i++) block.writeUInt16BE(limbs[i] ?? 0, 2 * i);
  return block;
}

function open(key: KeyObject, purposeByte: number, text: string): Sealed | undefined {
  const sealed = fromBase62(text);
  if (!sealed) return undefined;
  return openBlock(crypt(key, sealed, false), purposeByte);
}

function openBlock(block: Buffer, purposeByte: number): Sealed | undefined {
  if (block[0] !== purposeByte || block[13] !== 0 || block[14] !== 0 || block[15] !== 0) return undefined;
  return { a: block.readUIntBE(1, 5), b: block.readUIntBE(6, 5), extra: block.readUInt16BE(11) };
}

export interface KeyRing {
  /** The first key seals, and every key opens. */
  readonly keys: readonly { readonly id: string; readonly secret: Buffer }[];
}

/**
 * Links and references that carry their own meaning: one AES-128 block under a key of its purpose, in base62, after
 * one character that names the key of the ring. Nothing is stored per link; 24 zero bits, the purpose byte and the
 * existence of the named row stand against guessing.
 */
export class Tokens {
  readonly #ring: readonly { mark: string; secret: Buffer; byPurpose: Map<string, KeyObject> }[];

  constructor(ring: KeyRing) {
    this.#ring = ring.keys.map((key) => ({ mark: keyMark(key.id), secret: key.secret, byPurpose: new Map() }));
  }

  /** @returns 23 characters of base62 */
  seal(purpose: Purpose, value: Sealed): string {
    const first = this.#ring[0];
    if (!first) throw new Error('the key ring is empty');
    return first.mark + toBase62(crypt(derive(first, purpose), pack(byteOf(purpose), value), true));
  }

  /** Seals a whole slice as `seal` does, with one call of the cipher instead of one for each token (1.6 us). */
  sealMany(purpose: Purpose, values: readonly Sealed[]): string[] {
    const first = this.#ring[0];
    if (!first) throw new Error('the key ring is empty');
    const blocks = Buffer.alloc(16 * values.length);
    values.forEach((value, i) => packInto(blocks, 16 * i, byteOf(purpose), value));
    const sealed = crypt(derive(first, purpose), blocks, true);
    const size = 1 + BLOCK_CHARS;
    const digits = Buffer.alloc(size * values.length, first.mark);
    for (let i = 0; i < values.length; i++) writeBase62(sealed, 16 * i, digits, size * i + 1);
    const text = digits.toString('latin1');
    return values.map((_, i) => text.slice(size * i, size * (i + 1)));
  }

  open(purpose: Purpose, token: string): Sealed | undefined {
    const key = this.#ring.find((k) => k.mark === token[0]);
    return key && open(derive(key, purpose), byteOf(purpose), token.slice(1));
  }

  /** Seals as `seal` does, to 34 characters that survive lower-casing, for mail addresses. */
  sealLower(purpose: Purpose, value: Sealed): string {
    const first = this.#ring[0];
    if (!first) throw new Error('the key ring is empty');
    return lowerMark(first.mark) + crypt(derive(first, purpose), pack(byteOf(purpose), value), true).toString('hex');
  }

  openLower(purpose: Purpose, token: string): Sealed | undefined {
    if (!/^[0-9a-z]{2}[0-9a-f]{32}$/i.test(token)) return undefined;
    const text = token.toLowerCase();
    const key = this.#ring.find((k) => lowerMark(k.mark) === text.slice(0, 2));
    return key && openBlock(crypt(derive(key, purpose), Buffer.from(text.slice(2), 'hex'), false), byteOf(purpose));
  }

  /** Keyed hash for nonces, erasure lists and visitor counts. 32 bytes. */
  mac(purpose: string, text: string): Buffer {
    const first = this.#ring[0];
    if (!first) throw new Error('the key ring is empty');
    return hmac(derive(first, `mac:${purpose}`), text);
  }

  /** The hashes of a text under every key of the ring, first key first, to find what was stored under an older key. */
  macs(purpose: string, text: string): Buffer[] {
    return this.#ring.map((key) => hmac(derive(key, `mac:${purpose}`), text));
  }

  /** True when `mac` was made by any key of the ring. */
  verifyMac(purpose: string, text: string, mac: Buffer): boolean {
    return this.#ring.some((key) => {
      const expected = hmac(derive(key, `mac:${purpose}`), text);
      return mac.length <= expected.length && mac.length >= 10 && timingSafeEqual(expected.subarray(0, mac.length), mac);
    });
  }
}

/** Bytes of a block of SHA-256 and of its result. */
const HASH_BLOCK = 64;
const HASH_BYTES = 32;

interface Pads {
  /** The key and 0x36, room for a text behind it. */
  readonly inner: Buffer;
  /** The key and 0x5c, room for the inner hash behind it. */
  readonly outer: Buffer;
}

const pads = new WeakMap<KeyObject, Pads>();
/** The longest text that fits into `Pads.inner`: an address of the longest kind and what stands before it. */
const TEXT_ROOM = 512;

function padsOf(key: KeyObject): Pads {
  let made = pads.get(key);
  if (!made) {
    const bytes = key.export();
    const inner = Buffer.alloc(HASH_BLOCK + TEXT_ROOM, 0x36);
    const outer = Buffer.alloc(HASH_BLOCK + HASH_BYTES, 0x5c);
    // Our keys have 16 bytes; RFC 2104 hashes a key first only when it is longer than a block.
    for (const [i, byte] of bytes.entries()) {
      inner[i] = byte ^ 0x36;
      outer[i] = byte ^ 0x5c;
    }
    pads.set(key, (made = { inner, outer }));
  }
  return made;
}

/**
 * HMAC-SHA-256 (RFC 2104) as two hashes in one call each, which takes 1.9 us; a stream of Node's own takes 4 us for such short
 * texts. The strings have one byte a character, since a Buffer of Node's takes longer to make than the hash.
 */
function hmac(key: KeyObject, text: string): Buffer {
  const { inner, outer } = padsOf(key);
  const bytes = Buffer.byteLength(text);
  const first =
    bytes <= TEXT_ROOM ? inner.subarray(0, HASH_BLOCK + inner.write(text, HASH_BLOCK)) : Buffer.concat([inner.subarray(0, HASH_BLOCK), Buffer.from(text)]);
  outer.write(hash('sha256', first, 'binary'), HASH_BLOCK, 'latin1');
  return Buffer.from(hash('sha256', outer, 'binary'), 'latin1');
}

/** Two characters without case. */
const lowerMark = (mark: string): string => ALPHABET.indexOf(mark).toString(36).padStart(2, '0');
const byteOf = (purpose: Purpose): number => PURPOSE_BYTE[purpose] ?? 0xff;
/** One base62 character for the key: its id where that is one character, else a checksum of it. */
const keyMark = (id: string): string =>
  id.length === 1 && ALPHABET.includes(id) ? id : (ALPHABET[[...id].reduce((sum, c) => (sum * 31 + (c.codePointAt(0) ?? 0)) % 62, 7)] ?? '0');

function derive(key: { secret: Buffer; byPurpose: Map<string, KeyObject> }, purpose: string): KeyObject {
  let derived = key.byPurpose.get(purpose);
  if (!derived) {
    derived = createSecretKey(Buffer.from(hkdfSync('sha256', key.secret, '', `muster ${purpose}`, 16)));
    key.byPurpose.set(purpose, derived);
  }
  return derived;
}

const ID_KINDS = { msg: 1, rcp: 2, usr: 3, key: 4, snd: 5, sub: 6, inb: 7, wav: 8, bat: 9, imp: 10 } as const;
export type IdKind = keyof typeof ID_KINDS;

/**
 * Public ids: a row's number sealed under a key of this installation that never changes, so that ids neither tell
 * how many rows there are nor can be counted through. `msg_` + 22 base62 characters.
 */
export class PublicIds {
  readonly #key: KeyObject;
  constructor(idKey: Buffer) {
    this.#key = createSecretKey(idKey);
  }

  encode(kind: IdKind, id: string | number): string {
    return `${kind}_${toBase62(crypt(this.#key, pack(ID_KINDS[kind], { a: Number(id), b: 0, extra: 0 }), true))}`;
  }

  /** @returns the row's number as a string, or undefined for anything this installation never gave out */
  decode(kind: IdKind, text: string): string | undefined {
    if (!text.startsWith(`${kind}_`)) return undefined;
    const value = open(this.#key, ID_KINDS[kind], text.slice(kind.length + 1));
    return value && value.b === 0 && value.extra === 0 ? String(value.a) : undefined;
  }
}
