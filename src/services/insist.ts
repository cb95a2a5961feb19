import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '#platform/clock.ts';
import { isUnavailable } from '#platform/unavailable.ts';
import type { Deps } from './context.ts';

/** How long the carriers' results are kept while the database is away. After that the sweep lists those people as in doubt. */
const INSIST_MS = 60_000;
const INSIST_EVERY_MS = 250;

/**
 * Repeats a write that failed because the database was away: without it a restart of the database would leave everybody
 * in doubt who was just called. A repeat is safe, since the fence and the state guard every settle.
 * @throws the write's own error where the database is not what failed, or where it is away for more than 60 seconds
 */
export async function insist<T>(deps: Pick<Deps, 'log'>, write: () => Promise<T>): Promise<T> {
  for (const until = monotonicMs() + INSIST_MS; ; ) {
    try {
      return await write();
    } catch (error) {
      if (!isUnavailable(error) || monotonicMs() > until) throw error;
      deps.log.debug({ error: (error as Error).message }, 'the database is away; the write is repeated');
      await delay(INSIST_EVERY_MS);
    }
  }
}
