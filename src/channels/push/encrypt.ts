import { createCipheriv, createPublicKey, diffieHellman, generateKeyPairSync, hash, type KeyObject, randomBytes } from 'node:crypto';

/*
 * RFC 8291 with the aes128gcm content coding of RFC 8188, one record. Measured on one core (Node 24, 420 bytes):
 *
 *   web-push's own `encrypt` (http_ece)         245-267 us: createECDH 146, five createHmac 50
 *   WebCrypto throughout                        224 us wall, 317 us CPU: promises eat what its threads win
 *   KeyObjects, everything on the main thread   160 us
 *   KeyObjects, ECDH on the thread pool         130 us wall, and the event loop is free meanwhile
 *
 * HMAC is built from `crypto.hash` (RFC 2104): 3.5 us against 10 for createHmac, five times a message.
 */

export interface Recipient {
  /** Uncompressed P-256 point, 65 bytes in URL-safe base64. */
  readonly p256dh: string;
  /** 16 bytes in URL-safe base64. */
  readonly auth: string;
}

/** Fresh for every message; only the published test vector passes its own. */
export interface Ephemeral {
  readonly privateKey: KeyObject;
  /** Uncompressed point, 65 bytes. */
  readonly publicKey: Buffer;
  readonly salt: Buffer;
}

const KEY_INFO = Buffer.from('Content-Encoding: aes128gcm\0\u0001', 'latin1');
const NONCE_INFO = Buffer.from('Content-Encoding: nonce\0\u0001', 'latin1');
const WEBPUSH_INFO = Buffer.from('WebPush: info\0', 'latin1');
const ONE = Buffer.from([1]);
/** RFC 8188 section 2: the delimiter of the last record. */
const LAST_RECORD = Buffer.from([2]);
/** Record size 4096 and the length of the key id that follows. */
const RECORD_HEADER = Buffer.from([0, 0, 0x10, 0, 65]);
const BLOCK = 64;

/** HMAC-SHA-256 for keys of at most 64 bytes. */
export function hmac(key: Buffer, data: Buffer): Buffer {
  const inner = Buffer.alloc(BLOCK + data.length, 0x36);
  const outer = Buffer.alloc(BLOCK + 32, 0x5c);
  for (let i = 0; i < key.length; i++) {
    inner[i] = (key[i] ?? 0) ^ 0x36;
    outer[i] = (key[i] ?? 0) ^ 0x5c;
  }
  data.copy(inner, BLOCK);
  hash('sha256', inner, 'buffer').copy(outer, BLOCK);
  return hash('sha256', outer, 'buffer');
}

const importPoint = (point: Buffer): KeyObject => createPublicKey({ key: point, format: 'raw-public', asymmetricKeyType: 'ec', namedCurve: 'P-256' });

export function newEphemeral(): Ephemeral {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, publicKey: publicKey.export({ format: 'raw-public' }), salt: randomBytes(16) };
}

const agree = (privateKey: KeyObject, publicKey: KeyObject): Promise<Buffer> =>
  new Promise((done, fail) => diffieHellman({ privateKey, publicKey }, (error, secret) => (error ? fail(error) : done(secret))));

/** Decoded keys of a subscription, or undefined when they can encrypt nothing (wrong length, not on the curve). */
function readKeys({ p256dh, auth }: Recipient): { point: Buffer; key: KeyObject; auth: Buffer } | undefined {
  const point = Buffer.from(p256dh, 'base64url');
  const secret = Buffer.from(auth, 'base64url');
  if (point.length !== 65 || point[0] !== 4 || secret.length !== 16) return undefined;
  try {
    return { point, key: importPoint(point), auth: secret };
  } catch {
    return undefined;
  }
}

/**
 * @param payload at most 3993 bytes
 * @returns the request body, or undefined when the subscription's keys are unusable
 */
export async function encrypt(payload: Buffer, recipient: Recipient, ephemeral: Ephemeral = newEphemeral()): Promise<Buffer | undefined> {
  const keys = readKeys(recipient);
  if (!keys) return undefined;
  const secret = await agree(ephemeral.privateKey, keys.key);
  // RFC 8291 section 3.4
  const input = hmac(hmac(keys.auth, secret), Buffer.concat([WEBPUSH_INFO, keys.point, ephemeral.publicKey, ONE]));
  // RFC 8188 sections 2.2 and 2.3
  const prk = hmac(ephemeral.salt, input);
  const cipher = createCipheriv('aes-128-gcm', hmac(prk, KEY_INFO).subarray(0, 16), hmac(prk, NONCE_INFO).subarray(0, 12));
  const sealed = [cipher.update(payload), cipher.update(LAST_RECORD), cipher.final(), cipher.getAuthTag()];
  return Buffer.concat([ephemeral.salt, RECORD_HEADER, ephemeral.publicKey, ...sealed]);
}
