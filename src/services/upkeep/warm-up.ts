import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '#platform/log.ts';

/** The work takes a tenth of this. A process whose database is slow starts without it. */
const MOST_MS = 1_000;

/** Does what the first message of a process would wait for, before the process is ready. Nothing depends on it: it may fail or be late. */
export async function warmUp(log: Log, work: () => Promise<void>): Promise<void> {
  const done = new AbortController();
  const warmedUp = work().catch((error: unknown) => log.warn({ error: (error as Error).message }, 'not warmed up: the first message will be slower'));
  const late = delay(MOST_MS, undefined, { signal: done.signal }).catch(() => undefined);
  await Promise.race([warmedUp, late]);
  done.abort();
}
