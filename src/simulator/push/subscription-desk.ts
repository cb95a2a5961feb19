import { readFile, writeFile } from 'node:fs/promises';
import type { SubscriptionJson, Subscriptions } from './subscriptions.ts';

export interface IssueRequest {
  /** Number of the first subscription; without it they are new. */
  readonly first?: number | undefined;
  readonly applicationServerKey?: string | undefined;
  readonly origin: string;
}

/** Gives out subscriptions. The last number is kept in a file, so that new ones are given out after a restart. */
export class SubscriptionDesk {
  readonly #path: string;
  readonly #subscriptions: Subscriptions;
  #last: number;

  private constructor(path: string, subscriptions: Subscriptions, last: number) {
    this.#path = path;
    this.#subscriptions = subscriptions;
    this.#last = last;
  }

  static async open(path: string, subscriptions: Subscriptions): Promise<SubscriptionDesk> {
    const text = await readFile(path, 'utf8').catch(() => '0');
    return new SubscriptionDesk(path, subscriptions, Number.parseInt(text, 10) || 0);
  }

  async issue(count: number, { first, applicationServerKey, origin }: IssueRequest): Promise<SubscriptionJson[]> {
    const from = first ?? (await this.#take(count));
    const made: SubscriptionJson[] = [];
    for (let n = 0; n < count; n++) {
      made.push(this.#subscriptions.json(this.#subscriptions.id(from + n, applicationServerKey), origin));
      // Each subscription takes 50 us, so calls are let through in between.
      if (n % 100 === 99) await new Promise<void>((done) => setImmediate(done));
    }
    return made;
  }

  async #take(count: number): Promise<number> {
    const first = this.#last + 1;
    this.#last += count;
    await writeFile(this.#path, `${this.#last}\n`);
    return first;
  }
}
