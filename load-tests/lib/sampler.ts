import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';

/** One second of a run. */
export interface Sample {
  /** Seconds since the start. */
  readonly at: number;
  readonly requestsPerSecond: number;
  /** Mean of the requests that ended in this second; 0 where none did. */
  readonly meanMs: number;
  readonly vus: number;
}

interface Totals {
  readonly requests: number;
  readonly ms: number;
  readonly vus: number;
}

async function totals(url: string): Promise<Totals | undefined> {
  try {
    const { body } = await request(`${url}/v1/metrics`);
    const { data } = (await body.json()) as { data: { id: string; attributes: { sample: Record<string, number> } }[] };
    const of = (id: string, value: string): number => data.find((metric) => metric.id === id)?.attributes.sample[value] ?? 0;
    const requests = of('http_reqs', 'count');
    return { requests, ms: of('http_req_duration', 'avg') * requests, vus: of('vus', 'value') };
  } catch {
    // k6 does not listen yet, or no longer.
    return undefined;
  }
}

/** Reads k6's own control port once a second, which costs the load generator next to nothing. */
export async function sampleUntil(url: string, stop: AbortSignal): Promise<Sample[]> {
  const samples: Sample[] = [];
  const start = performance.now();
  let before: Totals & { at: number } = { requests: 0, ms: 0, vus: 0, at: 0 };
  while (!stop.aborted) {
    await delay(1_000, undefined, { signal: stop }).catch(() => undefined);
    const now = await totals(url);
    if (!now) continue;
    const at = (performance.now() - start) / 1000;
    const requests = now.requests - before.requests;
    samples.push({
      at,
      requestsPerSecond: requests / (at - before.at),
      meanMs: requests === 0 ? 0 : Math.max(0, now.ms - before.ms) / requests,
      vus: now.vus,
    });
    before = { ...now, at };
  }
  return samples;
}
