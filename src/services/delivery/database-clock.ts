/** Two clocks of a machine drift apart by less than this share of the time. */
const DRIFT = 1e-4;

/**
 * Tells the database's time by this process's monotonic clock. An answer that carries a time is exact to half its round trip. The
 * most exact answer counts, so one that was read late, because this process was held up, moves nothing. An answer that contradicts
 * it (the database's clock was set, or another server took over) takes its place.
 */
export class DatabaseClock {
  #offset = 0;
  #error = Number.POSITIVE_INFINITY;
  #heardAt = 0;

  /**
   * @param time of the database, milliseconds
   * @param askedAt monotonic, before the question left
   * @param readAt monotonic, when its answer was read
   */
  hear(time: number, askedAt: number, readAt: number): void {
    const error = (readAt - askedAt) / 2;
    const offset = time - (askedAt + readAt) / 2;
    const known = this.#error + (readAt - this.#heardAt) * DRIFT;
    if (error > known && Math.abs(offset - this.#offset) <= error + known) return;
    this.#offset = offset;
    this.#error = error;
    this.#heardAt = readAt;
  }

  /** Monotonic milliseconds at a time of the database. */
  at(time: number): number {
    return time - this.#offset;
  }
}
