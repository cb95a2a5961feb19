import { createECDH, createHmac, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { encrypt, hmac } from './encrypt.ts';

// RFC 8291 section 5 and appendix A.
const VECTOR = {
  plaintext: 'When I grow up, I want to be a watermelon',
  p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
  auth: 'BTBZMqHH6r4Tts7J_aSIgg',
  privateKey: 'yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw',
  salt: 'DGv6ra1nlYgDCS1FRnbzlw',
  body: 'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN',
};

test('the published vector', () => {
  const ephemeral = { privateKey: Buffer.from(VECTOR.privateKey, 'base64url'), salt: Buffer.from(VECTOR.salt, 'base64url') };
  const body = encrypt(Buffer.from(VECTOR.plaintext), VECTOR, ephemeral);
  expect(body?.toString('base64url')).toBe(VECTOR.body);
});

test('each message has its own key and salt', () => {
  const [one, two] = [encrypt(Buffer.from('a'), VECTOR), encrypt(Buffer.from('a'), VECTOR)];
  expect(one?.subarray(0, 16)).not.toEqual(two?.subarray(0, 16));
  expect(one?.subarray(21, 86)).not.toEqual(two?.subarray(21, 86));
});

test('hmac agrees with node:crypto for every key and data length in use', () => {
  for (let keyLength = 0; keyLength <= 64; keyLength++)
    for (const dataLength of [0, 1, 16, 32, 55, 56, 63, 64, 65, 145]) {
      const key = randomBytes(keyLength);
      const data = randomBytes(dataLength);
      expect(hmac(key, data)).toEqual(createHmac('sha256', key).update(data).digest());
    }
});

const point = createECDH('prime256v1').generateKeys();
const offCurve = Buffer.from(point);
offCurve[64] = (offCurve[64] ?? 0) ^ 1;
const good = { p256dh: point.toString('base64url'), auth: randomBytes(16).toString('base64url') };

test.each([
  ['a point off the curve', { ...good, p256dh: offCurve.toString('base64url') }],
  ['a compressed point', { ...good, p256dh: createECDH('prime256v1').generateKeys('base64url', 'compressed') }],
  ['an empty key', { ...good, p256dh: '' }],
  ['a short secret', { ...good, auth: 'AAAA' }],
  ['the point at infinity', { ...good, p256dh: Buffer.alloc(65).toString('base64url') }],
])('%s encrypts nothing', (_name, keys) => {
  expect(encrypt(Buffer.from('x'), keys)).toBeUndefined();
  expect(encrypt(Buffer.from('x'), good)?.length).toBe(16 + 5 + 65 + 1 + 1 + 16);
});
