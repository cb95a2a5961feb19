import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '#platform/clock.ts';

/** After life has marked somebody: so long it is in full flow and can use the whole process. */
const FLOWING_MS = 100;
/** After a nudge for life, which is sent as soon as somebody asks for a launch: counting its people and writing it down take so long. */
const COMING_MS = 200;
/** Looked at again this often. */
const STEP_MS = 10;
/** One mark or page of campaigns goes on beside life this often: their claims stay alive and their own expiry may be near. */
const ONE_EVERY_MS = 500;

/**
 * Bulk gives way to life: at its next mark, at the next page that is planned. Asked is not whether life has work but whether
 * it moves: life that waits for a slow carrier costs this process nothing, and nobody else has to wait for it.
 */
export class Courtesy {
  #until = Number.NEGATIVE_INFINITY;
  #oneAt = Number.NEGATIVE_INFINITY;

  /** Before each mark of the life lane. */
  readonly lifeMarks = (): void => this.#flow(FLOWING_MS);

  /** Life has work, or will have it in a moment. */
  readonly lifeComes = (): void => this.#flow(COMING_MS);

  #flow(ms: number): void {
    const now = monotonicMs();
    if (this.#until < now) this.#oneAt = now + ONE_EVERY_MS;
    this.#until = Math.max(this.#until, now + ms);
  }

  get lifeMoves(): boolean {
    return monotonicMs() < this.#until;
  }

  /** Before each mark of the bulk lane, and each page planned for it. */
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
