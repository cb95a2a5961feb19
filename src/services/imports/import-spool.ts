import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '#platform/errors.ts';

/** Uploads up to this size stay in memory. */
const IN_MEMORY = 1_048_576;
const PIECE = 65_536;

const UTF_16 = 'the file is UTF-16, not UTF-8: save it as "CSV UTF-8" and import it again; nothing was written';
const LATIN_1 = 'not UTF-8 (it looks like Latin-1 or Windows-1252): save the file as "CSV UTF-8" and import it again; nothing was written';

export interface Spool {
  readonly bytes: number;
  /** The text from its beginning, in pieces, without a byte order mark. */
  text(): AsyncGenerator<string>;
  close(): Promise<void>;
}

/**
 * Takes a whole upload in and proves that it is UTF-8 before anything reads it: a wrong encoding or a broken connection
 * then leaves nothing half-written, and a slow client holds no database connection. An upload above 1 MiB goes to a file
 * that is unlinked already, so that memory stays flat and no list of people is left on the disk whatever happens.
 * @throws Problem 422 `wrong_encoding`, with the line
 */
export async function spoolUtf8(folder: string, stream: AsyncIterable<Uint8Array>): Promise<Spool> {
  const check = new Utf8Check();
  const pieces: Uint8Array[] = [];
  let file: FileHandle | undefined;
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      check.push(chunk);
      bytes += chunk.length;
      if (!file && bytes > IN_MEMORY) {
        file = await openUnlinked(folder);
        for (const piece of pieces.splice(0)) await file.writeFile(piece);
      }
      if (file) await file.writeFile(chunk);
      else pieces.push(chunk);
    }
    check.end();
  } catch (error) {
    await file?.close();
    throw error;
  }
  return { bytes, text: () => decode(file ? readFile(file, bytes) : fromMemory(pieces)), close: async () => file?.close() };
}

async function openUnlinked(folder: string): Promise<FileHandle> {
  const path = join(folder, 'imports');
  await mkdir(path, { recursive: true, mode: 0o700 });
  const name = join(path, randomUUID());
  const file = await open(name, 'wx+', 0o600);
  await unlink(name);
  return file;
}

async function* readFile(file: FileHandle, bytes: number): AsyncGenerator<Uint8Array> {
  // One buffer serves all pieces, since each is made into text before the next one is read.
  const piece = Buffer.allocUnsafeSlow(PIECE);
  for (let at = 0; at < bytes; ) {
    const { buffer, bytesRead } = await file.read(piece, 0, PIECE, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

async function* fromMemory(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) for (let at = 0; at < piece.length; at += PIECE) yield piece.subarray(at, at + PIECE);
}

async function* decode(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8');
  for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true });
  const rest = decoder.decode();
  if (rest !== '') yield rest;
}

function wrongEncoding(detail: string): Problem {
  return new Problem(422, 'wrong_encoding', detail, { errors: [{ field: 'body', code: 'wrong_encoding', detail }] });
}

/** Refuses anything but UTF-8, and says on which line. */
class Utf8Check {
  #lines = 1;
  #bytes = 0;
  /** At most three bytes: the beginning of a character that the next chunk completes. */
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Uint8Array): void {
    const whole = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const data = this.#rest.length === 0 ? whole : Buffer.concat([this.#rest, chunk]);
    if (this.#bytes === 0 && data.length >= 2) refuseUtf16(data);
    this.#bytes += chunk.length;
    const end = data.length - openTail(data);
    this.#check(data.subarray(0, end));
    // The rest is copied, since a view would keep the whole chunk in memory.
    this.#rest = Buffer.from(data.subarray(end));
  }

  end(): void {
    this.#check(this.#rest);
  }

  #check(data: Buffer): void {
    if (!isUtf8(data)) {
      const bad = firstBad(data);
      const line = this.#lines + newLines(data.subarray(0, bad));
      throw wrongEncoding(`line ${line} is ${LATIN_1}`);
    }
    this.#lines += newLines(data);
  }
}

function refuseUtf16(data: Buffer): void {
  const [a, b] = data;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff) || a === 0 || b === 0) throw wrongEncoding(UTF_16);
}

/** How many bytes at the end begin a character without ending it. */
function openTail(data: Buffer): number {
  for (let back = 1; back <= Math.min(3, data.length); back++) {
    const byte = data[data.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0;
  }
  return 0;
}

/** Finds the longest good beginning by halving: the whole characters below `good` are UTF-8, those below `bad` are not. */
function firstBad(data: Buffer): number {
  let [good, bad] = [0, data.length];
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    const part = data.subarray(0, middle);
    if (isUtf8(part.subarray(0, middle - openTail(part)))) good = middle;
    else bad = middle;
  }
  return good;
}

function newLines(data: Buffer): number {
  let count = 0;
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) count += 1;
  return count;
}
