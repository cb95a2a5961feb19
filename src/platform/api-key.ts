import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const base62 = (length: number): string => {
  let text = '';
  // Bytes above 247 are dropped, so that the 62 digits stay equally likely.
  while (text.length < length) for (const byte of randomBytes(length)) if (byte < 248 && text.length < length) text += ALPHABET[byte % 62];
  return text;
};

const checksum = (text: string): string => {
  let n = crc32(text);
  let out = '';
  for (let i = 0; i < 6; i++, n = Math.floor(n / 62)) out = ALPHABET[n % 62] + out;
  return out;
};

/**
 * A new key: `mu_live_` or `mu_test_`, 6 characters that name it, 32 secret ones, and 6 of CRC-32 so that secret scanners can
 * match it.
 */
export function newApiKey(mode: 'live' | 'test'): string {
  const body = `mu_${mode}_${base62(38)}`;
  return body + checksum(body);
}

/** Refuses cheaply, before the database is asked, what cannot be a key of ours. */
export function looksLikeApiKey(text: string): boolean {
  return /^mu_(live|test)_[0-9A-Za-z]{44}$/.test(text) && checksum(text.slice(0, -6)) === text.slice(-6);
}

/** What is stored. The key has 190 bits of randomness, so a plain SHA-256 needs no salt. */
export const hashApiKey = (key: string): Buffer => createHash('sha256').update(key).digest();
