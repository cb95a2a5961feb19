import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { HEAD_START } from './fair-turns.ts';
import { MarkedAhead } from './marked-ahead.ts';

const TENANT = 1;
const SMALL = 2;

test('never more than the limit, in order of asking, and nobody is forgotten', async () => {
  const ahead = new MarkedAhead(8, 10);
  expect(ahead.limit).toBe(10);
  const order: string[] = [];
  expect(await ahead.take(TENANT, 8)).toBe(8);
  const big = ahead.take(TENANT, 10, 'whole').then(() => order.push('big'));
  // Fits, but asked later: it must not overtake, or a large slice would starve.
  const small = ahead.take(TENANT, 1).then(() => order.push('small'));
  ahead.give(1);
  await delay(0);
  expect(order).toEqual([]);
  ahead.give(7);
  await big;
  expect(order).toEqual(['big']);
  ahead.give(1);
  await small;
  expect(order).toEqual(['big', 'small']);
});

test('who is called alone waits for everybody, and everybody for him', async () => {
  const ahead = new MarkedAhead(8, 100);
  await ahead.take(TENANT, 1);
  let alone = false;
  const one = ahead.take(TENANT, 1, 'alone').then(() => (alone = true));
  await delay(0);
  expect(alone).toBe(false);
  ahead.give(1, 1);
  await one;
  let next = 0;
  const others = ahead.take(TENANT, 5).then((granted) => (next = granted));
  await delay(0);
  expect(next).toBe(0);
  ahead.give(ahead.weight('alone'), 1);
  await others;
  expect(next).toBe(5);
});

/** Calls everybody who may be marked, `connections` at once, each for so long; tells how many were marked at most. */
async function drive(ahead: MarkedAhead, connections: number, callMs: number, rounds: number): Promise<number> {
  let most = 0;
  for (let round = 0; round < rounds; round++) {
    const marked = await ahead.take(TENANT, 1_000);
    most = Math.max(most, marked);
    for (let left = marked; left > 0; left -= connections) {
      if (callMs > 0) await delay(callMs);
      ahead.give(Math.min(left, connections), Math.min(left, connections));
    }
  }
  return most;
}

test('a fast carrier has as many marked as ever within a few slices', async () => {
  const ahead = new MarkedAhead(32, 750);
  expect(ahead.limit).toBe(40);
  await drive(ahead, 32, 0, 4);
  expect(ahead.limit).toBe(750);
});

test('a slow carrier has hardly more people marked than it has connections, also when it was fast before', async () => {
  const ahead = new MarkedAhead(32, 750);
  await drive(ahead, 32, 0, 4);
  await drive(ahead, 32, 120, 2);
  expect(await drive(ahead, 32, 120, 3)).toBeLessThan(64);
});

test('a slice that must not be divided is let through where the limit is smaller than it, and one more', async () => {
  const ahead = new MarkedAhead(2, 750);
  expect(await ahead.take(TENANT, 100, 'whole')).toBe(100);
  expect(await ahead.take(TENANT, 100, 'whole')).toBe(100);
  let third = 0;
  const waiting = ahead.take(TENANT, 100, 'whole').then((granted) => (third = granted));
  await delay(0);
  expect(third).toBe(0);
  ahead.give(100, 100);
  await waiting;
  expect(third).toBe(100);
});

/** How many of a huge message, of which four slices always ask, are let through while `count` people of a small one are. */
async function besideHuge(count: number): Promise<number> {
  const ahead = new MarkedAhead(10, 20);
  const served = { huge: 0, small: 0 };
  const { promise: inFlow, resolve: flows } = Promise.withResolvers<void>();
  const slice = async (tenant: number, people: number): Promise<number> => {
    const granted = await ahead.take(tenant, people);
    setImmediate(() => ahead.give(granted, granted));
    return granted;
  };
  const huge = async (): Promise<void> => {
    while (served.small < count) {
      const granted = await slice(TENANT, 10);
      served.huge += granted;
      if (served.huge >= 3 * HEAD_START) flows();
    }
  };
  const slices = Array.from({ length: 4 }, huge);
  await inFlow;
  const before = served.huge;
  while (served.small < count) served.small += await slice(SMALL, Math.min(10, count - served.small));
  const beside = served.huge - before;
  await Promise.all(slices);
  return beside;
}

test('a small message of another tenant is let through before a huge one', async () => {
  // What was under way or granted already.
  expect(await besideHuge(HEAD_START)).toBeLessThanOrEqual(60);
});

test('after its head start a tenant takes turns with the others', async () => {
  const others = await besideHuge(3 * HEAD_START);
  expect(others).toBeGreaterThan(1.9 * HEAD_START);
  expect(others).toBeLessThan(2.1 * HEAD_START);
});
