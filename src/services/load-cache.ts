import { BoundedMap } from '#domain/bounded-map.ts';

interface Loaded<V> {
  readonly at: number;
  readonly value: Promise<V | undefined>;
}

/**
 * Loads a value once for all callers who ask at the same time. It is kept for `lifetimeMs` from the start of its load, so
 * that nobody is shown a state that ended longer ago than that. At most `limit` values are kept. What is not there, and
 * what failed, is asked again.
 */
export class LoadCache<V> {
  readonly #entries: BoundedMap<string, Loaded<V>>;
  readonly #lifetimeMs: number;

  constructor(limit: number, lifetimeMs: number) {
    this.#entries = new BoundedMap(limit);
    this.#lifetimeMs = lifetimeMs;
  }

  /** @param now milliseconds; a clock that was put back makes every entry after it stale */
  get(key: string, now: number, load: () => Promise<V | undefined>): Promise<V | undefined> {
    const kept = this.#entries.get(key);
    if (kept && now >= kept.at && now - kept.at < this.#lifetimeMs) return kept.value;
    const entry = { at: now, value: load() };
    this.#entries.set(key, entry);
    const forget = (): void => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
    };
    entry.value.then((value) => value === undefined && forget(), forget);
    return entry.value;
  }
}
