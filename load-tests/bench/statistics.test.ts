import { expect, test } from 'vitest';
import { busiestSecond, median, percentile, round } from './statistics.ts';

test('the median of an even number is the middle of two', () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([7])]).toEqual([2, 2.5, 7]);
  expect(median([])).toBeNaN();
});

test('percentiles are values that were measured', () => {
  const twenty = Array.from({ length: 20 }, (_, i) => i + 1);
  expect([percentile(twenty, 0.5), percentile(twenty, 0.95), percentile(twenty, 0.99), percentile(twenty, 0)]).toEqual([10, 19, 20, 1]);
});

test('what was not measured is null, since JSON has no NaN', () => {
  expect([round(Number.NaN), round(Number.POSITIVE_INFINITY), round(0.123456), round(1234.5)]).toEqual([null, null, 0.123, 1235]);
});

test('a window of one second begins with any event and does not hold the next second', () => {
  const at = (...times: number[]) => times.map((time) => ({ at: time, units: 1 }));
  expect(busiestSecond([])).toBe(0);
  expect(busiestSecond(at(0, 1000, 2000))).toBe(1);
  expect(busiestSecond(at(0, 999, 1000))).toBe(2);
  // The window is not aligned to whole seconds, and the events are not in order.
  expect(busiestSecond(at(1400, 600, 700, 1500, 2600))).toBe(4);
  expect(
    busiestSecond([
      { at: 0, units: 2 },
      { at: 10, units: 3 },
    ]),
  ).toBe(5);
});
