import { createDecipheriv, hkdfSync } from 'node:crypto';
import type { SubscriptionKeys } from './subscriptions.ts';

const TAG_BYTES = 16;
const KEY_BYTES = 65;

/**
 * Opens a push message, which is RFC 8188 (aes128gcm, one or more records) under the keys of RFC 8291.
 * @throws when it was not made for these keys
 */
export function decryptPush(body: Buffer, { ecdh, auth }: SubscriptionKeys): Buffer {
  if (body.length < 21 + KEY_BYTES) throw new Error('the body is too short for an aes128gcm header');
  // The header of RFC 8188 section 2.1 holds the salt (16 bytes), the record size (4), the key id's length (1) and the key
  // id, which is the sender's public key.
  const salt = body.subarray(0, 16);
  const recordSize = body.readUInt32BE(16);
  const idLength = body[20] ?? 0;
  const senderKey = body.subarray(21, 21 + idLength);
  if (idLength !== KEY_BYTES || recordSize < 18) throw new Error('the aes128gcm header is not one of web push');
  const secret = ecdh.computeSecret(senderKey);
  const keyInfo = Buffer.concat([Buffer.from('WebPush: info\0'), ecdh.getPublicKey(), senderKey]);
  const ikm = Buffer.from(hkdfSync('sha256', secret, auth, keyInfo, 32));
  const key = Buffer.from(hkdfSync('sha256', ikm, salt, 'Content-Encoding: aes128gcm\0', 16));
  const nonce = Buffer.from(hkdfSync('sha256', ikm, salt, 'Content-Encoding: nonce\0', 12));
  const parts: Buffer[] = [];
  let sequence = 0;
  for (let at = 21 + idLength; at < body.length; at += recordSize, sequence += 1)
    parts.push(openRecord(body.subarray(at, at + recordSize), key, nonce, sequence));
  return Buffer.concat(parts);
}

function openRecord(record: Buffer, key: Buffer, nonce: Buffer, sequence: number): Buffer {
  if (record.length <= TAG_BYTES) throw new Error('a record is shorter than its tag');
  const iv = Buffer.from(nonce);
  // The record's number goes into the last bytes of the nonce; four of them are enough for 4096 bytes.
  iv.writeUInt32BE((iv.readUInt32BE(8) ^ sequence) >>> 0, 8);
  const decipher = createDecipheriv('aes-128-gcm', key, iv);
  decipher.setAuthTag(record.subarray(-TAG_BYTES));
  const padded = Buffer.concat([decipher.update(record.subarray(0, -TAG_BYTES)), decipher.final()]);
  // The delimiter (1, in the last record 2) stands before the zero padding.
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end -= 1;
  if (end < 0 || (padded[end] !== 1 && padded[end] !== 2)) throw new Error('a record has no delimiter');
  return padded.subarray(0, end);
}
