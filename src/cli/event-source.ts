import { setTimeout as delay } from 'node:timers/promises';
import { type Api, Refusal } from './api.ts';

const RETRY_MS = 1_000;
/** How many connections in a row may fail without an event before the watcher gives up. */
const TRIES = 10;

/** Events of a server-sent stream, across reconnections: each connection resumes after the last event that was seen. */
export async function* events(api: Api, path: string, signal: AbortSignal): AsyncGenerator<unknown> {
  let lastId: string | undefined;
  for (let failures = 0; !signal.aborted; ) {
    try {
      const response = await api.call(path, { signal, headers: { accept: 'text/event-stream', ...(lastId === undefined ? {} : { 'last-event-id': lastId }) } });
      for await (const block of blocks(response)) {
        const data = /^data: (.*)$/m.exec(block)?.[1];
        lastId = /^id: (.*)$/m.exec(block)?.[1] ?? lastId;
        failures = 0;
        if (data !== undefined) yield JSON.parse(data) as unknown;
      }
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      if (failures >= TRIES || error instanceof Refusal) throw error;
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function* blocks(response: Response): AsyncGenerator<string> {
  if (!response.body) return;
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      yield text.slice(0, end);
      text = text.slice(end + 2);
    }
  }
}
