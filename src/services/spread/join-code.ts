import type { Deps } from '#services/context.ts';

/** Crockford's alphabet. None of its characters is taken for another when it is read aloud or typed. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** Characters that check the rest: 25 bits against guessing. A guess costs an SMS and joins the person who guesses. */
const CHECK = 5;

const digitsOf = (n: number): number[] => (n === 0 ? [0] : [...n.toString(32)].map((c) => Number.parseInt(c, 32)));
const numberOf = (digits: readonly number[]): number => digits.reduce((n, d) => n * 32 + d, 0);
const fives = (mac: Buffer, n: number): number[] => [...mac.subarray(0, n)].map((byte) => byte & 31);

function checkOf(deps: Pick<Deps, 'tokens'>, plain: readonly number[]): number[] {
  return fives(deps.tokens.mac('join-code', plain.join(' ')), CHECK);
}

function padOf(deps: Pick<Deps, 'tokens'>, check: readonly number[]): number[] {
  return fives(deps.tokens.mac('join-code-pad', check.join(' ')), 32);
}

/**
 * Makes the code that somebody texts to join through a share, such as `7K2MQ-4XPT9-AB`: message and sharer in 10 to 14
 * characters, without a row per link. The check stands in front and makes the key stream of the rest, so that nobody can
 * count through the codes.
 */
export function joinCode(deps: Pick<Deps, 'tokens'>, messageId: string, parentId: string): string {
  const message = digitsOf(Number(messageId));
  const plain = [message.length, ...message, ...digitsOf(Number(parentId))];
  const check = checkOf(deps, plain);
  const pad = padOf(deps, check);
  const text = [...check, ...plain.map((d, i) => d ^ (pad[i] ?? 0))].map((d) => ALPHABET[d]).join('');
  return text.match(/.{1,5}/g)?.join('-') ?? text;
}

/**
 * Reads a code as people type it: in any case, with spaces and dashes, O for 0, I or L for 1.
 * @returns undefined for anything that is not a code of this installation
 */
export function openJoinCode(deps: Pick<Deps, 'tokens'>, code: string): { messageId: string; parentId: string } | undefined {
  const letters = code.toUpperCase().replace(/[\s-]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1');
  const digits = [...letters].map((c) => ALPHABET.indexOf(c));
  if (digits.length < CHECK + 3 || digits.length > 32 || digits.includes(-1)) return undefined;
  const check = digits.slice(0, CHECK);
  const pad = padOf(deps, check);
  const plain = digits.slice(CHECK).map((d, i) => d ^ (pad[i] ?? 0));
  if (checkOf(deps, plain).some((d, i) => d !== check[i])) return undefined;
  const length = plain[0] ?? 0;
  return { messageId: String(numberOf(plain.slice(1, 1 + length))), parentId: String(numberOf(plain.slice(1 + length))) };
}
