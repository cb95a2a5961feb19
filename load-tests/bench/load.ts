import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'undici';

export interface LoadRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface LoadResult {
  readonly ms: number;
  readonly perSecond: number;
  readonly latencies: readonly number[];
  /** Answers outside 2xx. */
  readonly refused: number;
  /** Requests of an open loop that were not sent, because too many were waiting. */
  readonly dropped: number;
}

async function once(pool: Pool, { method, path, headers, body }: LoadRequest): Promise<boolean> {
  const answer = await pool.request({ method, path, ...(headers === undefined ? {} : { headers }), ...(body === undefined ? {} : { body }) });
  await answer.body.dump();
  return answer.statusCode >= 200 && answer.statusCode < 300;
}

/** Closed model: `lanes` requests are under way at a time, and each lane sends its next request when its last one is answered. */
export async function closedLoop(pool: Pool, requests: readonly LoadRequest[], lanes: number): Promise<LoadResult> {
  const latencies: number[] = [];
  let refused = 0;
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let request = requests[next++]; request; request = requests[next++]) {
      const start = performance.now();
      if (!(await once(pool, request))) refused += 1;
      latencies.push(performance.now() - start);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: lanes }, lane));
  const ms = performance.now() - start;
  return { ms, perSecond: (requests.length / ms) * 1000, latencies, refused, dropped: 0 };
}

/** How many requests may wait for an answer at a time. */
const MAX_WAITING = 5_000;

/**
 * Open model: requests arrive at a constant rate, however slow the answers are. Latency counts from when a request was due,
 * not from when it was sent.
 */
export async function openLoop(pool: Pool, requests: readonly LoadRequest[], perSecond: number): Promise<LoadResult> {
  const latencies: number[] = [];
  let refused = 0;
  let dropped = 0;
  const waiting = new Set<Promise<void>>();
  const start = performance.now();
  for (let sent = 0; sent < requests.length; ) {
    const due = Math.min(requests.length, Math.floor(((performance.now() - start) * perSecond) / 1000) + 1);
    for (; sent < due; sent++) {
      const request = requests[sent];
      const at = start + (sent * 1000) / perSecond;
      if (!request || waiting.size >= MAX_WAITING) {
        dropped += 1;
        continue;
      }
      const one = once(pool, request)
        .then((ok) => {
          if (!ok) refused += 1;
          latencies.push(performance.now() - at);
        })
        .finally(() => waiting.delete(one));
      waiting.add(one);
    }
    await delay(1);
  }
  await Promise.all(waiting);
  const ms = performance.now() - start;
  return { ms, perSecond: (latencies.length / ms) * 1000, latencies, refused, dropped };
}
