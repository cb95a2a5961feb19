import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '#platform/log.ts';

/** A warm-up takes a tenth of this. A process whose database is slow starts without it. */
const MOST_MS = 1_000;

/**
 * Does before a process is ready what its first message would wait for. It waits for 1,000 ms at most, and nothing depends
 * on it, so it may fail.
 */
export async function warmUp(log: Log, work: () => Promise<void>): Promise<void> {
  const done = new AbortController();
  const warmedUp = work().catch((error: unknown) => {
    log.warn({ error: (error as Error).message }, 'not warmed up: the first message will be slower');
  });
  const late = delay(MOST_MS, undefined, { signal: done.signal }).catch(() => undefined);
  await Promise.race([warmedUp, late]);
  done.abort();
}
