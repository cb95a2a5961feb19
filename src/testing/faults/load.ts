import { setTimeout as delay } from 'node:timers/promises';
import type { World } from './world.ts';

export interface LoadOptions {
  /** First word of each text and of each key. */
  readonly name: string;
  readonly clients: number;
  /** Milliseconds between two messages of a client. */
  readonly pauseMs: number;
  /** Milliseconds before the same message is posted again. */
  readonly retryMs: number;
  /** Address of the API, where it is not its own. */
  readonly base?: string;
}

/** An answer that was no 201; status 0 is a connection that broke. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
}

export interface Load {
  /** Row numbers of the messages answered 201, by key. */
  readonly accepted: ReadonlyMap<string, string>;
  readonly refused: readonly Refusal[];
  /** Keys used so far. */
  keys(): number;
  /** Messages of this load in the database. */
  stored(): Promise<number>;
  /** Resolves when each client has its last answer. */
  stop(): Promise<void>;
}

/**
 * Starts clients that do as they should: each message, to the one person tagged `one`, has a key, which is repeated until
 * there is an answer.
 */
export function startLoad(world: World, options: LoadOptions): Load {
  const accepted = new Map<string, string>();
  const refused: Refusal[] = [];
  const over = new AbortController();
  let keys = 0;
  const ask = async (key: string): Promise<string | undefined> => {
    const body = { class: 'ops', text: { en: `${options.name} ${key}` }, audience: { tags: ['one'] }, channels: ['sms'], launch: true };
    const how = { headers: { 'idempotency-key': key }, timeoutMs: 20_000, ...(options.base === undefined ? {} : { base: options.base }) };
    try {
      const answer = await world.call<{ id: string }>('POST', '/v1/messages', body, how);
      if (answer.status === 201) return world.idOf(answer.body.id);
      refused.push({ status: answer.status, text: JSON.stringify(answer.body).slice(0, 120) });
    } catch (error) {
      refused.push({ status: 0, text: (error as Error).message });
    }
    return undefined;
  };
  const client = async (n: number): Promise<void> => {
    for (let i = 0; !over.signal.aborted; i++) {
      const key = `${options.name.toLowerCase()}-${n}-${i}`;
      keys += 1;
      let id = await ask(key);
      while (id === undefined) {
        await delay(options.retryMs);
        id = await ask(key);
      }
      accepted.set(key, id);
      await delay(options.pauseMs);
    }
  };
  const clients = Promise.all(Array.from({ length: options.clients }, (_, n) => client(n)));
  return {
    accepted,
    refused,
    keys: () => keys,
    stored: () => world.number(`SELECT count(*) AS n FROM messages WHERE text ->> 'en' LIKE $1`, [`${options.name} %`]),
    stop: async () => {
      over.abort();
      await clients;
    },
  };
}

export const show = (refused: readonly Refusal[]): string =>
  `${refused
    .slice(-3)
    .map(({ status, text }) => `${status} ${text}`)
    .join('; ')} (${refused.length})`;
