import { setTimeout as delay } from 'node:timers/promises';

/** Polls until the condition holds. @returns the milliseconds it took. @throws with `what` when it does not hold in time */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs: number, what: string | (() => string), everyMs = 20): Promise<number> {
  const started = performance.now();
  while (!(await holds())) {
    if (performance.now() - started > timeoutMs) throw new Error(`not within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`);
    await delay(everyMs);
  }
  return performance.now() - started;
}
