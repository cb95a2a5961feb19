import { MAX_ORIGINS } from './constants.ts';
import { PushOrigin, type PushOriginOptions } from './origin.ts';

/** The push services that are called, the least recently used one closed when there are too many. */
export class PushOrigins {
  readonly #origins = new Map<string, PushOrigin>();
  readonly #options: Omit<PushOriginOptions, 'trusted'>;

  constructor(options: Omit<PushOriginOptions, 'trusted'>) {
    this.#options = options;
  }

  /** @param origin as URL has it. It was opened before, so it may be called: what else an endpoint must not have is not looked at. */
  known(origin: string): PushOrigin | undefined {
    const known = this.#origins.get(origin);
    // A Map keeps insertion order: taking it out and in again makes it the youngest.
    if (known && this.#origins.delete(origin)) this.#origins.set(origin, known);
    return known;
  }

  /** @param trusted the operator named this origin in full, so its address is not checked */
  open(origin: string, trusted: boolean): PushOrigin {
    const known = this.known(origin);
    if (known) return known;
    const oldest = this.#origins.entries().next().value;
    if (oldest && this.#origins.size >= MAX_ORIGINS) {
      this.#origins.delete(oldest[0]);
      // Requests already in it are finished first.
      oldest[1].finish();
    }
    const made = new PushOrigin(origin, { ...this.#options, trusted });
    this.#origins.set(origin, made);
    return made;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#origins.values()].map((one) => one.close()));
    this.#origins.clear();
  }
}
