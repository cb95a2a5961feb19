import { MAX_ORIGINS } from './constants.ts';
import { PushOrigin, type PushOriginOptions } from './origin.ts';

/** The push services that are called. When there are too many, the one that was not used for longest is closed. */
export class PushOrigins {
  readonly #origins = new Map<string, PushOrigin>();
  readonly #options: Omit<PushOriginOptions, 'trusted'>;

  constructor(options: Omit<PushOriginOptions, 'trusted'>) {
    this.#options = options;
  }

  /**
   * The service of an origin that was opened before, so that it may be called. What else an endpoint must not have is not looked at.
   * @param origin in the spelling of URL
   */
  known(origin: string): PushOrigin | undefined {
    const known = this.#origins.get(origin);
    // A Map keeps the order of insertion, so taking the service out and in again makes it the youngest.
    if (known && this.#origins.delete(origin)) this.#origins.set(origin, known);
    return known;
  }

  /** Opens the service of an origin. @param trusted whether the operator named it in full, so that its address is not checked */
  open(origin: string, trusted: boolean): PushOrigin {
    const known = this.known(origin);
    if (known) return known;
    const oldest = this.#origins.entries().next().value;
    if (oldest && this.#origins.size >= MAX_ORIGINS) {
      this.#origins.delete(oldest[0]);
      // It finishes the requests that it has.
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
