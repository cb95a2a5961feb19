/** Width of one slot. Slots make a million waiting receipts cost some thousand timers instead of a million. */
const SLOT_MS = 5;

/** Something to do later; a promise that it returns counts as under way until it settles, and should not reject. */
type Action = () => unknown;

/** Things to do later, and whether any is left. All of them are dropped by `clear`. */
export class Agenda {
  readonly #slots = new Map<number, Action[]>();
  readonly #now: () => number;
  readonly #timers = new Map<number, NodeJS.Timeout>();
  #waiting = 0;
  #open = 0;
  /** Rises with each `clear`, so that what was under way before is no longer counted. */
  #generation = 0;
  #idlers: (() => void)[] = [];

  /** @param now milliseconds of a clock that only rises */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many things wait or are under way. */
  get left(): number {
    return this.#waiting + this.#open;
  }

  after(ms: number, action: Action): void {
    const slot = Math.ceil((this.#now() + ms) / SLOT_MS);
    this.#waiting += 1;
    const list = this.#slots.get(slot);
    if (list) {
      list.push(action);
      return;
    }
    this.#slots.set(slot, [action]);
    this.#timers.set(
      slot,
      setTimeout(() => this.#run(slot), Math.max(0, slot * SLOT_MS - this.#now())),
    );
  }

  /** Resolves after so many milliseconds; at once for 0. What is dropped by `clear` never resolves. */
  wait(ms: number): Promise<void> {
    return ms > 0 ? new Promise((done) => this.after(ms, done)) : Promise.resolve();
  }

  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void> {
    return new Promise((done) => {
      this.#idlers.push(done);
      this.#look();
    });
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#slots.clear();
    this.#waiting = 0;
    this.#open = 0;
    this.#generation += 1;
    this.#look();
  }

  #run(slot: number): void {
    const list = this.#slots.get(slot) ?? [];
    this.#slots.delete(slot);
    this.#timers.delete(slot);
    this.#waiting -= list.length;
    for (const action of list) {
      const result = action();
      if (result instanceof Promise) this.#track(result);
    }
    this.#look();
  }

  #track(promise: Promise<unknown>): void {
    const generation = this.#generation;
    this.#open += 1;
    void promise.finally(() => {
      if (generation !== this.#generation) return;
      this.#open -= 1;
      this.#look();
    });
  }

  #look(): void {
    if (this.left > 0) return;
    for (const done of this.#idlers.splice(0)) done();
  }
}
