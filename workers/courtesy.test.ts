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
  const from = monotonicMs();
  const passed: number[] = [];
  await Promise.all(
    [1, 2, 3].map(async () => {
      await courtesy.giveWay();
      passed.push(monotonicMs() - from);
    }),
  );
  flow.abort();
  await life;
  // One of them goes on each half second, not all of them.
  expect(passed[0]).toBeGreaterThanOrEqual(490);
  expect((passed[1] ?? 0) - (passed[0] ?? 0)).toBeGreaterThanOrEqual(490);
  expect((passed[2] ?? 0) - (passed[1] ?? 0)).toBeGreaterThanOrEqual(490);
  expect(passed[2]).toBeLessThan(3_000);
});

test('bulk waits for a life message that is about to be launched', async () => {
  const courtesy = new Courtesy();
  expect(courtesy.lifeMoves).toBe(false);
  courtesy.lifeComes();
  expect(courtesy.lifeMoves).toBe(true);
  const from = monotonicMs();
  await courtesy.giveWay();
  expect(monotonicMs() - from).toBeGreaterThanOrEqual(190);
  expect(courtesy.lifeMoves).toBe(false);
});
