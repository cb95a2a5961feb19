import { Pool } from 'undici';
import { CONNECTIONS_PER_ORIGIN, KEEP_ALIVE_MS, MAX_ORIGINS } from './constants.ts';
import { publicLookup, type Resolve } from './public-lookup.ts';

/** One connection pool per push service, the least recently used one closed when there are too many. */
export class OriginPools {
  readonly #pools = new Map<string, Pool>();
  readonly #connectTimeoutMs: number;
  readonly #resolve: Resolve | undefined;

  constructor(connectTimeoutMs: number, resolve?: Resolve) {
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#resolve = resolve;
  }

  get size(): number {
    return this.#pools.size;
  }

  /** @param trusted the operator named this origin in full, so its address is not checked */
  get(origin: string, trusted: boolean): Pool {
    const pool = this.#pools.get(origin) ?? this.#open(origin, trusted);
    // A Map keeps insertion order: taking it out and in again makes it the youngest.
    this.#pools.delete(origin);
    this.#pools.set(origin, pool);
    return pool;
  }

  #open(origin: string, trusted: boolean): Pool {
    const oldest = this.#pools.entries().next().value;
    if (oldest && this.#pools.size >= MAX_ORIGINS) {
      this.#pools.delete(oldest[0]);
      // Requests already in it are finished first; a failure to close has nobody left to tell.
      oldest[1].close().catch(() => {});
    }
    const connect = { timeout: this.#connectTimeoutMs, ...(trusted ? {} : { lookup: publicLookup(this.#resolve) }) };
    return new Pool(origin, { connections: CONNECTIONS_PER_ORIGIN, pipelining: 1, keepAliveTimeout: KEEP_ALIVE_MS, connect });
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
    this.#pools.clear();
  }
}
