import { AUTH_BYTES, encryptFor, keysAt, MORE_BYTES, POINT_BYTES, type Recipient, writeKeys } from './encrypt.ts';

/*
 * Many encryptions go to a thread and come back as one piece of memory, because each object would be taken apart and put
 * together twice. Each encryption is a byte that says whether its keys are usable, two bytes with the payload's length, and room
 * for the body, in which the keys and the payload lie on their way to the thread.
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

/** Encrypts in place, so that what was packed becomes what `bodiesOf` reads. */
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

/** The bodies in order, which share their memory; undefined where keys were unusable. */
export function bodiesOf(list: ArrayBuffer): (Buffer | undefined)[] {
  const bytes = bytesOf(list);
  const bodies: (Buffer | undefined)[] = [];
  for (let at = 0, next = 0; at < bytes.length; at = next) {
    next = at + roomFor(bytes.readUInt16LE(at + 1));
    bodies.push(bytes[at] === 1 ? bytes.subarray(at + HEAD_BYTES, next) : undefined);
  }
  return bodies;
}
