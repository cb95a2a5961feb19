import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';

/** What a file holds from this byte on, or its last `-position` bytes; '' where there is no file yet. */
export function readFrom(file: string, position: number): string {
  if (!existsSync(file)) return '';
  const handle = openSync(file, 'r');
  const { size } = fstatSync(handle);
  const from = position < 0 ? Math.max(0, size + position) : position;
  const bytes = Buffer.alloc(size - from);
  readSync(handle, bytes, 0, bytes.length, from);
  closeSync(handle);
  return bytes.toString('latin1');
}
