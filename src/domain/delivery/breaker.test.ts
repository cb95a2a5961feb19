import { describe, expect, test } from 'vitest';
import { type Breaker, CLOSED, hear, hearingOf, type Hearing, isHeld, probeDelayMs, RUN, WINDOW_MS } from './breaker.ts';
import type { Outcome } from './outcome.ts';

const T = 1_000_000;
const slice = (good: number, bad: number, probe = false): Hearing => ({ good, bad, code: bad > 0 ? 'ECONNREFUSED' : null, probe });
const after = (...slices: Hearing[]): Breaker => slices.reduce((breaker, one, i) => hear(breaker, one, T + i), CLOSED);
const OPEN = after(slice(0, RUN));

describe('opening', () => {
  test.each([
    ['ten in a row in one slice', [slice(0, 10)], true],
    ['ten in a row over slices, of whichever workers', [slice(0, 4), slice(0, 4), slice(0, 2)], true],
    ['nine in a row', [slice(0, 9)], false],
    ['a good call between them', [slice(0, 9), slice(1, 0), slice(0, 9)], false],
    ['half of twenty', [slice(10, 10)], true],
    ['half of eighteen', [slice(9, 9)], false],
    ['a little under half of a thousand', [slice(510, 490)], false],
    ['half, summed over slices', [slice(60, 20), slice(10, 60)], true],
    ['nothing but refusals of people', [slice(0, 0), slice(0, 0)], false],
  ])('%s', (_name, slices, opens) => {
    expect(after(...slices).openedAt !== null).toBe(opens);
  });

  test('failures that are longer ago than the window count no more', () => {
    const before = hear(CLOSED, slice(0, 9), T);
    expect(hear(before, slice(0, 9), T + WINDOW_MS).openedAt).toBeNull();
    expect(hear(before, slice(0, 9), T + WINDOW_MS - 1).openedAt).toBe(T + WINDOW_MS - 1);
  });

  test('the code that opened it is kept, and probes are dated: life soon, the others later', () => {
    expect(OPEN).toMatchObject({ openedAt: T, code: 'ECONNREFUSED', probes: 0, probeAt: T + 5_000, lifeProbeAt: T + 1_000 });
  });
});

describe('while it is open', () => {
  test('slices that were under way neither close it nor move its probes', () => {
    const next = hear(hear(OPEN, slice(125, 0), T + 10), slice(0, 125), T + 20);
    expect(next).toMatchObject({ openedAt: T, probes: 0, probeAt: OPEN.probeAt, lifeProbeAt: OPEN.lifeProbeAt });
  });

  test('ops and bulk are held; life only while nothing goes through', () => {
    const half = after(slice(10, 10));
    expect((['life', 'ops', 'bulk'] as const).map((messageClass) => isHeld(half, messageClass))).toEqual([false, true, true]);
    expect((['life', 'ops', 'bulk'] as const).map((messageClass) => isHeld(OPEN, messageClass))).toEqual([true, true, true]);
    expect(isHeld(hear(OPEN, slice(1, 0), T + 10), 'life')).toBe(false);
    expect(isHeld(CLOSED, 'bulk')).toBe(false);
  });

  test('it does not forget meanwhile that nothing went through', () => {
    expect(isHeld(hear(OPEN, slice(0, 1), T + 10 * WINDOW_MS), 'life')).toBe(true);
  });
});

describe('probes', () => {
  test('good calls close it, and everything starts from nothing', () => {
    expect(hear(OPEN, slice(3, 0, true), T + 5_000)).toEqual(CLOSED);
  });

  test('one failure among them keeps it open, and the next probe waits: for life twice as long', () => {
    const first = hear(OPEN, slice(2, 1, true), T + 5_000);
    expect(first).toMatchObject({ openedAt: T, probes: 1, probeAt: T + 10_000, lifeProbeAt: T + 7_000 });
    expect(hear(first, slice(0, 3, true), T + 10_000)).toMatchObject({ probes: 2, probeAt: T + 15_000, lifeProbeAt: T + 14_000 });
  });

  test('people who were refused for their own reasons decide nothing: others are asked soon', () => {
    expect(hear(OPEN, slice(0, 0, true), T + 5_000)).toMatchObject({ openedAt: T, probes: 0, probeAt: T + 6_000, lifeProbeAt: T + 6_000 });
  });

  test('a probe that comes back after another one closed it is a slice like any other', () => {
    expect(hear(CLOSED, slice(0, 3, true), T)).toMatchObject({ openedAt: null, run: 3 });
  });

  test('life waits five seconds at most, the others a tenth of the time that it has been open, five seconds to a minute', () => {
    expect([0, 1, 2, 3, 50].map((n) => probeDelayMs('life', n, 0))).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
    expect([0, 50, 51, 60, 300, 600, 86_400].map((s) => probeDelayMs('ops', 9, s * 1_000))).toEqual([5_000, 5_000, 5_100, 6_000, 30_000, 60_000, 60_000]);
  });
});

test('what outcomes say of a provider', () => {
  const outcomes: Outcome[] = [
    { kind: 'accepted', providerId: 'p', units: 1 },
    { kind: 'gone', code: '21610', reason: 'opted_out' },
    { kind: 'unknown', code: 'DEADLINE' },
    { kind: 'retryable', code: 'ECONNREFUSED' },
    // Our own process ends; the provider may be as well as ever.
    { kind: 'retryable', code: 'closing' },
    { kind: 'rejected', code: '21614' },
    { kind: 'throttled', code: '20429', retryAfterMs: 1_000 },
    { kind: 'misconfigured', code: '20003', detail: 'wrong token' },
  ];
  expect(hearingOf(outcomes, true)).toEqual({ good: 2, bad: 2, code: 'ECONNREFUSED', probe: true });
});
