import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clockOf } from '#domain/clock-time.ts';
import { openWindow, quietHoursOf } from './quiet-hours.ts';

const NIGHT = { from: '21:00', to: '08:00' };
const at = (iso: string): number => Date.parse(iso);
const iso = (ms: number): string => new Date(ms).toISOString();

describe('openWindow', () => {
  test.each([
    ['in the day it is open now', '2026-11-22T12:00:00Z', 'UTC', '2026-11-22T12:00:00.000Z', '2026-11-22T21:00:00.000Z'],
    ['the first quiet minute is quiet', '2026-11-22T21:00:00Z', 'UTC', '2026-11-23T08:00:00.000Z', '2026-11-23T21:00:00.000Z'],
    ['the last one too', '2026-11-23T07:59:59Z', 'UTC', '2026-11-23T08:00:00.000Z', '2026-11-23T21:00:00.000Z'],
    ['the clock is that of the person', '2026-11-22T12:00:00Z', 'Asia/Tokyo', '2026-11-22T23:00:00.000Z', '2026-11-23T12:00:00.000Z'],
    ['an unknown zone is UTC', '2026-11-22T12:00:00Z', 'Mars/Olympus', '2026-11-22T12:00:00.000Z', '2026-11-22T21:00:00.000Z'],
    ['spring: the night is an hour shorter', '2026-03-29T00:30:00Z', 'Europe/Berlin', '2026-03-29T06:00:00.000Z', '2026-03-29T19:00:00.000Z'],
    ['autumn: the night is an hour longer', '2026-10-24T23:30:00Z', 'Europe/Berlin', '2026-10-25T07:00:00.000Z', '2026-10-25T20:00:00.000Z'],
  ])('%s', (_name, now, zone, from, until) => {
    const window = openWindow(at(now), zone, NIGHT);
    expect([iso(window.from), iso(window.until)]).toEqual([from, until]);
  });

  test('quiet hours within one day', () => {
    const window = openWindow(at('2026-11-22T13:30:00Z'), 'UTC', { from: '13:00', to: '15:00' });
    expect([iso(window.from), iso(window.until)]).toEqual(['2026-11-22T15:00:00.000Z', '2026-11-23T13:00:00.000Z']);
  });

  test('no minute of a window is quiet, the one after it is, and it begins at once or when the quiet ends', () => {
    const clock = fc.integer({ min: 0, max: 1_439 }).map((m) => `${String(Math.floor(m / 60)).padStart(2, '0')}:${String(m % 60).padStart(2, '0')}`);
    const zone = fc.constantFrom('UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/St_Johns');
    // Days at a change of clocks are left out: there a wall clock shows minutes twice or never, and "quiet" has two readings.
    const now = fc.integer({ min: at('2026-06-01T00:00:00Z'), max: at('2026-08-01T00:00:00Z') });
    fc.assert(
      fc.property(now, zone, clock, clock, (moment, timeZone, from, to) => {
        fc.pre(from !== to);
        const quiet = (when: number): boolean => {
          const shown = clockOf(when, timeZone);
          return from < to ? shown >= from && shown < to : shown >= from || shown < to;
        };
        const window = openWindow(moment, timeZone, { from, to });
        expect(window.from === moment || clockOf(window.from, timeZone) === to).toBe(true);
        expect(window.from === moment).toBe(!quiet(moment));
        expect([quiet(window.from), quiet(window.until - 1), quiet(window.until)]).toEqual([false, false, true]);
        expect(window.until - window.from).toBeLessThanOrEqual(86_400_000);
      }),
    );
  });
});

test.each([
  [{ quietHours: { from: '21:00', to: '08:00' } }, { from: '21:00', to: '08:00' }],
  [{}, null],
  [{ quietHours: null }, null],
  [{ quietHours: { from: '25:00', to: '08:00' } }, null],
  [{ quietHours: { from: '08:00', to: '08:00' } }, null],
])('the policy %j has the quiet hours %j', (policy, quiet) => {
  expect(quietHoursOf(policy)).toEqual(quiet);
});
