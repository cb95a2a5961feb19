import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '#platform/clock.ts';

/** A second, and what the network may move two calls towards each other. */
const WINDOW_MS = 1_010;

/**
 * Keeps this process from calling a sender more often than its rate within any one second. The budget in the database
 * keeps the rate on average and over all workers; but when this process was held up for a moment (garbage collection, a
 * busy core) the calls that were due meanwhile leave together: 404 in the busiest second of a sender at 400.
 */
export class RateWindow {
  readonly #limit: number;
  readonly #starts: number[] = [];
  #next = 0;

  /** @param limit calls a second, a whole number */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Resolves when a call may start now; the caller starts it at once. */
  async enter(): Promise<void> {
    for (;;) {
      const now = monotonicMs();
      const oldest = this.#starts[this.#next];
      if (oldest === undefined || now - oldest >= WINDOW_MS) {
        this.#starts[this.#next] = now;
        this.#next = (this.#next + 1) % this.#limit;
        return;
      }
      await delay(Math.ceil(oldest + WINDOW_MS - now));
    }
  }
}
