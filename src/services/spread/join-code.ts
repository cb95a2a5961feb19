import type { Deps } from '#services/context.ts';

/** Crockford's alphabet: nothing in it is taken for something else when read aloud or typed. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** 25 bits against guessing; a guess costs an SMS and joins the guesser himself. */
const CHECK = 5;

const digitsOf = (n: number): number[] => (n === 0 ? [0] : [...n.toString(32)].map((c) => Number.parseInt(c, 32)));
const numberOf = (digits: readonly number[]): number => digits.reduce((n, d) => n * 32 + d, 0);
const fives = (mac: Buffer, n: number): number[] => [...mac.subarray(0, n)].map((byte) => byte & 31);

const checkOf = (deps: Pick<Deps, 'tokens'>, plain: readonly number[]): number[] => fives(deps.tokens.mac('join-code', plain.join(' ')), CHECK);
const padOf = (deps: Pick<Deps, 'tokens'>, check: readonly number[]): number[] => fives(deps.tokens.mac('join-code-pad', check.join(' ')), 32);

/**
 * What somebody texts to join through a share: message and sharer in 10-14 characters, without a row per link. The
 * check stands in front and is the key stream of the rest, so codes cannot be counted through. `7K2MQ-4XPT9-AB`.
 */
export function joinCode(deps: Pick<Deps, 'tokens'>, messageId: string, parentId: string): string {
  const message = digitsOf(Number(messageId));
  const plain = [message.length, ...message, ...digitsOf(Number(parentId))];
  const check = checkOf(deps, plain);
  const pad = padOf(deps, check);
  const text = [...check, ...plain.map((d, i) => d ^ (pad[i] ?? 0))].map((d) => ALPHABET[d]).join('');
  return text.match(/.{1,5}/g)?.join('-') ?? text;
}

/** Reads a code as people type it: any case, spaces and dashes, O for 0, I or L for 1. */
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
