/**
 * Bounds how many people of a lane and channel are marked in this process and still wait for their call. A crash leaves
 * all of them in doubt and a stop cannot take them back, so marks must not run far ahead of the carrier: without it four
 * slots held 1,000 marks before a carrier that takes 32 calls at a time.
 */
export class MarkedAhead {
  readonly #waiting: { need: number; go: () => void }[] = [];
  readonly limit: number;
  #free: number;

  constructor(limit: number) {
    this.limit = limit;
    this.#free = limit;
  }

  /** Resolves, in order of asking, once `need` more people may be marked. `need` must not exceed the limit. */
  take(need: number): Promise<void> {
    if (this.#waiting.length === 0 && this.#free >= need) {
      this.#free -= need;
      return Promise.resolve();
    }
    return new Promise((go) => this.#waiting.push({ need, go }));
  }

  give(back: number): void {
    this.#free += back;
    for (let first = this.#waiting[0]; first && this.#free >= first.need; first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= first.need;
      first.go();
    }
  }
}
