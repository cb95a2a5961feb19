import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '#platform/clock.ts';

/** Milliseconds after a mark of the life lane during which it is in full flow and can use the whole process. */
const FLOWING_MS = 100;
/**
 * Milliseconds from a nudge for life, which is sent as soon as a launch is asked for, until its people are counted and it is
 * written down.
 */
const COMING_MS = 200;
/** How often a mark or page that waits looks again. */
const STEP_MS = 10;
/** How often one mark or page of a campaign goes on beside life: its claims must stay alive, and its own expiry may be near. */
const ONE_EVERY_MS = 500;

/**
 * Bulk gives way to life at its next mark and at the next page that is planned. What counts is not whether the life lane has
 * work but whether it moves: a life message that waits for a slow carrier costs this process nothing, so nothing else has to
 * wait for it.
 */
export class Courtesy {
  #until = Number.NEGATIVE_INFINITY;
  #oneAt = Number.NEGATIVE_INFINITY;

  /** Is called before each mark of the life lane. */
  readonly lifeMarks = (): void => this.#flow(FLOWING_MS);

  /** Is called when the life lane has work, or will have it in a moment. */
  readonly lifeComes = (): void => this.#flow(COMING_MS);

  #flow(ms: number): void {
    const now = monotonicMs();
    if (this.#until < now) this.#oneAt = now + ONE_EVERY_MS;
    this.#until = Math.max(this.#until, now + ms);
  }

  get lifeMoves(): boolean {
    return monotonicMs() < this.#until;
  }

  /** Is called before each mark of the bulk lane, and before each page that is planned for it. */
  readonly giveWay = async (): Promise<void> => {
    for (let now = monotonicMs(); now < this.#until; now = monotonicMs()) {
      if (now >= this.#oneAt) {
        this.#oneAt = now + ONE_EVERY_MS;
        return;
      }
      await delay(STEP_MS);
    }
  };
}
