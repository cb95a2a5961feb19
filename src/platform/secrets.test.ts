import { expect, test } from 'vitest';
import { hashApiKey, looksLikeApiKey, newApiKey } from './api-key.ts';
import { hashPassword, verifyPassword } from './password.ts';

test('API keys are unique, say their mode and carry a checksum', () => {
  const keys = Array.from({ length: 200 }, () => newApiKey('live'));
  expect(new Set(keys).size).toBe(200);
  for (const key of keys) {
    expect(key).toMatch(/^mu_live_[0-9A-Za-z]{44}$/);
    expect(looksLikeApiKey(key)).toBe(true);
  }
  expect(newApiKey('test')).toMatch(/^mu_test_/);
});

test('a key with any character changed is refused before the database is asked', () => {
  const key = newApiKey('live');
  for (let i = 8; i < key.length; i++) expect(looksLikeApiKey(key.slice(0, i) + (key[i] === '0' ? '1' : '0') + key.slice(i + 1)), `character ${i}`).toBe(false);
  expect(looksLikeApiKey(key.replace('live', 'test')), 'the mode is under the checksum').toBe(false);
  for (const text of ['', 'mu_live_', `${key} `, ` ${key}`, `${key}\n`, key.slice(0, -1), `${key}0`, 'x'.repeat(10_000)])
    expect(looksLikeApiKey(text)).toBe(false);
});

test('only a hash is stored, and it is the same each time', () => {
  const key = newApiKey('live');
  expect(hashApiKey(key)).toHaveLength(32);
  expect(hashApiKey(key)).toEqual(hashApiKey(key));
  expect(hashApiKey(key)).not.toEqual(hashApiKey(newApiKey('live')));
});

test('passwords: argon2id with the recommended cost, salted, and only the right one passes', async () => {
  const [one, two] = await Promise.all([hashPassword('correct horse'), hashPassword('correct horse')]);
  expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(one).not.toBe(two);
  expect(await verifyPassword('correct horse', one)).toBe(true);
  for (const wrong of ['', 'correct horse ', 'Correct horse', one]) expect(await verifyPassword(wrong, one)).toBe(false);
});

test.each([
  '',
  'plain',
  '$argon2id$',
  '$2b$10$abcdefghijklmnopqrstuv',
  '$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaA',
  '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$',
])('a stored hash %j that is none never lets anybody in', async (stored) => {
  expect(await verifyPassword('', stored)).toBe(false);
  expect(await verifyPassword('password', stored)).toBe(false);
});
