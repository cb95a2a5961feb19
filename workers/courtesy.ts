import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '#platform/clock.ts';

/** Life marked somebody within this time: it is in full flow and can use the whole process. */
const FLOWING_MS = 100;
/** Looked at again this often. */
const STEP_MS = 10;
/** A campaign goes on this slowly at least, whatever life does: its claims stay alive and its own expiry may be near. */
const LONGEST_MS = 500;

/**
 * Bulk gives way to life at its next mark. Asked is not whether life has work but whether it moves: life that waits for
 * a slow carrier costs this process nothing, and nobody else has to wait for it.
 */
export class Courtesy {
  #lifeAt = Number.NEGATIVE_INFINITY;

  /** Before each mark of the life lane. */
  readonly lifeMarks = (): void => {
    this.#lifeAt = monotonicMs();
  };

  /** Before each mark of the bulk lane. */
  readonly giveWay = async (): Promise<void> => {
    for (const until = monotonicMs() + LONGEST_MS; monotonicMs() - this.#lifeAt < FLOWING_MS && monotonicMs() < until; ) await delay(STEP_MS);
  };
}
