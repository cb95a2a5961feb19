import { AUTH_BYTES, encryptFor, keysAt, MORE_BYTES, POINT_BYTES, type Recipient, writeKeys } from './encrypt.ts';

/*
 * Many encryptions as one piece of memory that goes to a thread and comes back, not as objects of which each is taken
 * apart and put together twice. For each: whether it is one (a byte), the payload's length (two), then room for the
 * body, in which the keys and the payload lie on the way there.
 */

export interface EncryptJob {
  /** At most 3993 bytes. */
  readonly payload: Uint8Array;
  readonly recipient: Recipient;
}

const HEAD_BYTES = 3;
const KEY_BYTES = POINT_BYTES + AUTH_BYTES;
const roomFor = (payloadBytes: number): number => HEAD_BYTES + payloadBytes + MORE_BYTES;

const bytesOf = (list: ArrayBuffer): Buffer<ArrayBuffer> => Buffer.from(list);

export function packList(jobs: readonly EncryptJob[]): ArrayBuffer {
  const list = new ArrayBuffer(jobs.reduce((sum, { payload }) => sum + roomFor(payload.length), 0));
  const bytes = bytesOf(list);
  let at = 0;
  for (const { payload, recipient } of jobs) {
    bytes[at] = writeKeys(recipient, bytes, at + HEAD_BYTES) ? 1 : 0;
    bytes.writeUInt16LE(payload.length, at + 1);
    bytes.set(payload, at + HEAD_BYTES + KEY_BYTES);
    at += roomFor(payload.length);
  }
  return list;
}

/** In place: what was packed becomes what `bodiesOf` reads. */
export function encryptList(list: ArrayBuffer): void {
  const bytes = bytesOf(list);
  for (let at = 0, next = 0; at < bytes.length; at = next) {
    const length = bytes.readUInt16LE(at + 1);
    next = at + roomFor(length);
    if (bytes[at] === 0) continue;
    const room = at + HEAD_BYTES;
    const body = encryptFor(bytes.subarray(room + KEY_BYTES, room + KEY_BYTES + length), keysAt(bytes, room));
    bytes[at] = body ? 1 : 0;
    body?.copy(bytes, room);
  }
}

/** In order; undefined for keys that were unusable. They share their memory. */
export function bodiesOf(list: ArrayBuffer): (Buffer | undefined)[] {
  const bytes = bytesOf(list);
  const bodies: (Buffer | undefined)[] = [];
  for (let at = 0, next = 0; at < bytes.length; at = next) {
    next = at + roomFor(bytes.readUInt16LE(at + 1));
    bodies.push(bytes[at] === 1 ? bytes.subarray(at + HEAD_BYTES, next) : undefined);
  }
  return bodies;
}
