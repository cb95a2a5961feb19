import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { monotonicMs } from '#platform/clock.ts';
import { Courtesy } from './courtesy.ts';

test('bulk waits while life marks, goes on at once when it does not, and is never kept for long', async () => {
  const courtesy = new Courtesy();
  const waited = async (): Promise<number> => {
    const from = monotonicMs();
    await courtesy.giveWay();
    return monotonicMs() - from;
  };
  expect(await waited()).toBeLessThan(20);
  courtesy.lifeMarks();
  expect(await waited()).toBeGreaterThanOrEqual(90);
  const flow = new AbortController();
  const life = (async () => {
    while (!flow.signal.aborted) {
      courtesy.lifeMarks();
      await delay(20);
    }
  })();
  const one = await waited();
  flow.abort();
  await life;
  expect(one).toBeGreaterThanOrEqual(490);
  expect(one).toBeLessThan(2_000);
});
