import { setTimeout as delay } from 'node:timers/promises';
import type { Deps } from './context.ts';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

export interface Listener {
  /** Starts on first use; resolves when listening. While the database is away it resolves too, and keeps trying. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

interface Events {
  notified(payload: string): void;
  /** Listening, for the first time or again: notifications may have been missed. */
  connected(): void;
}

/** One connection that listens on a channel and comes back by itself when it is lost. */
export function createListener(deps: Pick<Deps, 'db' | 'log'>, channel: 'progress' | 'stops', events: Events): Listener {
  const ended = new AbortController();
  let firstTry: Promise<void> | undefined;
  let running: Promise<void> | undefined;

  /** Resolves when the connection is lost or the listener ends. */
  async function listen(listening: () => void): Promise<void> {
    const client = await deps.db.connect();
    let broken: Error | undefined;
    try {
      const lost = new Promise<void>((done) => {
        client.on('error', (error) => {
          broken = error;
          done();
        });
        client.on('end', () => done());
        ended.signal.addEventListener('abort', () => done(), { once: true });
      });
      client.on('notification', (message) => {
        if (message.payload) events.notified(message.payload);
      });
      await client.query(`LISTEN ${channel}`);
      events.connected();
      listening();
      if (!ended.signal.aborted) await lost;
    } finally {
      // Not back into the pool: it still listens, or is broken.
      client.release(broken ?? true);
    }
  }

  async function keepListening(tried: () => void): Promise<void> {
    let wait = FIRST_RETRY_MS;
    while (!ended.signal.aborted) {
      try {
        await listen(() => {
          wait = FIRST_RETRY_MS;
          tried();
        });
      } catch (error) {
        deps.log.warn({ channel, code: (error as { code?: string }).code }, 'notifications are lost for now');
      }
      tried();
      await delay(wait, undefined, { signal: ended.signal }).catch(() => undefined);
      wait = Math.min(wait * 2, LAST_RETRY_MS);
    }
  }

  return {
    ready() {
      firstTry ??= new Promise((done) => {
        running = keepListening(done);
      });
      return firstTry;
    },
    async close() {
      ended.abort();
      await running;
    },
  };
}
