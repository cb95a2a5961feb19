import { setTimeout as delay } from 'node:timers/promises';
import type { Deps } from './context.ts';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

export interface Listener {
  /** Starts on first use and resolves when it listens. It also resolves while the database is away, and goes on trying. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** Channels of the database's NOTIFY; they are no channels of messages. */
type NotifyChannel = 'progress' | 'stops';

interface Events {
  notified(payload: string): void;
  /** It listens, for the first time or again, so that notifications may have been missed before. */
  connected(): void;
}

/**
 * Opens one connection that listens on a channel of the database, and opens it again whenever it is lost: first after
 * 100 ms, then after twice as long each time, at most 5 seconds.
 */
export function createListener(deps: Pick<Deps, 'db' | 'log'>, channel: NotifyChannel, events: Events): Listener {
  const ended = new AbortController();
  let firstTry: Promise<void> | undefined;
  let running: Promise<void> | undefined;

  async function keepListening(tried: () => void): Promise<void> {
    let wait = FIRST_RETRY_MS;
    while (!ended.signal.aborted) {
      try {
        await listen(deps.db, channel, ended.signal, {
          ...events,
          connected: () => {
            events.connected();
            wait = FIRST_RETRY_MS;
            tried();
          },
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

/** Resolves when the connection is lost or `ended` is aborted. */
async function listen(db: Deps['db'], channel: NotifyChannel, ended: AbortSignal, events: Events): Promise<void> {
  const client = await db.connect();
  let broken: Error | undefined;
  try {
    const lost = new Promise<void>((done) => {
      client.on('error', (error) => {
        broken = error;
        done();
      });
      client.on('end', () => done());
      ended.addEventListener('abort', () => done(), { once: true });
    });
    client.on('notification', (message) => {
      if (message.payload) events.notified(message.payload);
    });
    await client.query(`LISTEN ${channel}`);
    events.connected();
    if (!ended.aborted) await lost;
  } finally {
    // The connection still listens, or is broken, so it must not go back into the pool.
    client.release(broken ?? true);
  }
}
