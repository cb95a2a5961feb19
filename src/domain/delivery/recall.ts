/** A call that waits to begin, because it waits for a connection or for one to be made. */
export interface WaitingCall {
  takeBack(): void;
}

/**
 * Says whether calls that are marked may still begin. Each claim has one. A stop takes back what has not begun, at once, and
 * whatever asks later does not begin either. It is asked immediately before the first byte leaves, so that a slow carrier,
 * whose callers queue for its few connections, does not prolong a stop.
 */
export class Recall {
  readonly #waiting = new Set<WaitingCall>();
  readonly #told = Promise.withResolvers<void>();
  #recalled = false;

  get recalled(): boolean {
    return this.#recalled;
  }

  /** Resolves when the calls are taken back, if ever. */
  get told(): Promise<void> {
    return this.#told.promise;
  }

  add(call: WaitingCall): void {
    this.#waiting.add(call);
  }

  /** Is told that a call has begun or is over. */
  remove(call: WaitingCall): void {
    this.#waiting.delete(call);
  }

  recall(): void {
    if (this.#recalled) return;
    this.#recalled = true;
    for (const call of [...this.#waiting]) call.takeBack();
    this.#waiting.clear();
    this.#told.resolve();
  }
}
