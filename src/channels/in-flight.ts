/** Counts calls under way, so that `close` can wait for them. */
export class InFlight {
  #open = 0;
  #closing = false;
  #idle: (() => void) | undefined;

  get closing(): boolean {
    return this.#closing;
  }

  begin(): void {
    this.#open++;
  }

  end(): void {
    if (--this.#open === 0) this.#idle?.();
  }

  /** Takes no more calls. Resolves when the last one has ended, or after `boundMs`. */
  async drain(boundMs: number): Promise<void> {
    this.#closing = true;
    if (this.#open === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    const timer = setTimeout(resolve, boundMs);
    await promise;
    clearTimeout(timer);
  }
}
