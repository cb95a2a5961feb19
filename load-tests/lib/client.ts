import { setTimeout as delay } from 'node:timers/promises';
import type { MessageView } from '#schemas/views.ts';
import { fromApi } from '#testing/call-api.ts';
import type { Installation } from './installation.ts';

/** What a load test needs of Muster and of the carriers before and after k6. Every call throws unless it is answered 2xx. */
export class Client {
  readonly #to: Installation;

  constructor(to: Installation) {
    this.#to = to;
  }

  api<T>(method: 'GET' | 'POST', path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
    return fromApi(method, `${this.#to.site}/v1${path}`, body, { key: this.#to.apiKey, headers });
  }

  page(path: string): Promise<string> {
    return fromApi('GET', `${this.#to.site}${path}`, undefined, { headers: { accept: 'text/html' } });
  }

  /** A request to `/control…` of the simulated carriers. */
  control<T>(method: 'GET' | 'POST', path = '', body?: unknown): Promise<T> {
    return fromApi(method, `${this.#to.simulator}/control${path}`, body);
  }

  /** Calls that the carriers have written down so far. */
  async calls(): Promise<number> {
    return (await this.control<{ calls: number }>('GET', '/state')).calls;
  }

  /** Launches a message and waits until everybody has it. */
  async send(input: object, timeoutMs = 300_000): Promise<MessageView> {
    const made = await this.api<MessageView>('POST', '/messages', { ...input, launch: true });
    return this.until(
      () => this.api<MessageView>('GET', `/messages/${made.id}`),
      (view) => view.state === 'completed',
      `message ${made.id} to be completed`,
      timeoutMs,
    );
  }

  /** Asks again until it holds; throws what it saw last. */
  async until<T>(look: () => Promise<T>, holds: (seen: T) => boolean, what: string, timeoutMs = 30_000): Promise<T> {
    const end = performance.now() + timeoutMs;
    for (;;) {
      const seen = await look();
      if (holds(seen)) return seen;
      if (performance.now() > end) throw new Error(`waited ${timeoutMs / 1000} s for ${what}; last seen: ${JSON.stringify(seen).slice(0, 1000)}`);
      await delay(100);
    }
  }
}
