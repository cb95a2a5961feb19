import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '#platform/clock.ts';
import { isUnavailable } from '#platform/unavailable.ts';
import type { Deps } from './context.ts';

/** How long what carriers said is kept while the database is away. Later the sweep lists those people as in doubt. */
const INSIST_MS = 60_000;
const INSIST_EVERY_MS = 250;

/**
 * Repeats a write that failed because the database was away: thrown away, a restart of the database would leave
 * everybody who was just called in doubt. Safe to repeat, since the fence and the state guard every settle.
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
