import { expect, test } from 'vitest';
import { MarkedAhead } from './marked-ahead.ts';

test('never more than the limit, in order of asking, and nobody is forgotten', async () => {
  const ahead = new MarkedAhead(10);
  const order: string[] = [];
  await ahead.take(8);
  const big = ahead.take(9).then(() => order.push('big'));
  // Fits, but asked later: it must not overtake, or a large slice would starve.
  const small = ahead.take(1).then(() => order.push('small'));
  ahead.give(1);
  await Promise.resolve();
  expect(order).toEqual([]);
  ahead.give(6);
  await big;
  expect(order).toEqual(['big']);
  ahead.give(1);
  await small;
  expect(order).toEqual(['big', 'small']);
});
