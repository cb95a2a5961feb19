/** Width of one slot: a million waiting receipts cost some thousand timers, not a million. */
const SLOT_MS = 5;

/** Things to do later. All of them are dropped by `clear`. */
export class Agenda {
  readonly #slots = new Map<number, (() => void)[]>();
  readonly #now: () => number;
  readonly #timers = new Map<number, NodeJS.Timeout>();
  #waiting = 0;

  /** @param now milliseconds of a clock that only rises */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How many things still wait. */
  get waiting(): number {
    return this.#waiting;
  }

  after(ms: number, action: () => void): void {
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

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#slots.clear();
    this.#waiting = 0;
  }

  #run(slot: number): void {
    const list = this.#slots.get(slot) ?? [];
    this.#slots.delete(slot);
    this.#timers.delete(slot);
    this.#waiting -= list.length;
    for (const action of list) action();
  }
}
