import { expect, test } from 'vitest';
import { DatabaseClock } from './database-clock.ts';

const AHEAD = 1_700_000_000_000;

test('an answer that was read late moves nothing, and one that contradicts it is believed', () => {
  const clock = new DatabaseClock();
  clock.hear(AHEAD + 1_000, 1_000 - 0.5, 1_000 + 0.5);
  expect(clock.at(AHEAD + 2_000)).toBeCloseTo(2_000, 3);
  // Told at 2,000, read 80 ms later: this process was held up.
  clock.hear(AHEAD + 2_000, 1_999, 2_080);
  expect(clock.at(AHEAD + 3_000)).toBeCloseTo(3_000, 3);
  // Set forward by an hour.
  clock.hear(AHEAD + 3_603_000, 2_998, 3_002);
  expect(clock.at(AHEAD + 3_604_000)).toBeCloseTo(4_000, 3);
});

test('what was heard long ago gives way to a slightly worse answer: clocks drift', () => {
  const clock = new DatabaseClock();
  clock.hear(AHEAD, 0, 0.2);
  clock.hear(AHEAD + 3, 0, 6);
  expect(clock.at(AHEAD)).toBeCloseTo(0.1, 3);
  clock.hear(AHEAD + 60_004, 60_000, 60_006);
  expect(clock.at(AHEAD + 60_004)).toBeCloseTo(60_003, 3);
});
