import { startNode } from '#bench/processes.ts';
import { freePort } from '#platform/free-port.ts';
import { nextMessage } from '#testing/child.ts';

export interface ThrottledCall {
  readonly at: number;
  readonly status: number;
}

/** A provider that takes `perSecond` calls in any second and answers the others 429 with Retry-After. */
export async function startThrottlingCarrier(perSecond: number, logFile: string): Promise<{ url: string; calls(): Promise<ThrottledCall[]> }> {
  const port = await freePort();
  const child = startNode('load-tests/bench/carriers/throttling-main.ts', [String(port), String(perSecond)], { logFile });
  const next = <T>(): Promise<T> => nextMessage(child, 'the throttling carrier ended');
  await next();
  return {
    url: `http://127.0.0.1:${port}`,
    calls: () => {
      child.send('calls');
      return next<ThrottledCall[]>();
    },
  };
}
