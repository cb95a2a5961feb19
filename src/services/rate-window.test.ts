import { expect, test } from 'vitest';
import { monotonicMs } from '#platform/clock.ts';
import { RateWindow } from './rate-window.ts';

test('however many ask at once, no second sees more than the limit', async () => {
  const window = new RateWindow(20);
  const starts: number[] = [];
  const began = monotonicMs();
  await Promise.all(
    Array.from({ length: 50 }, async () => {
      await window.enter();
      starts.push(monotonicMs());
    }),
  );
  for (const start of starts) expect(starts.filter((other) => other >= start && other < start + 1_000).length).toBeLessThanOrEqual(20);
  expect(starts.filter((start) => start < began + 500)).toHaveLength(20);
});
