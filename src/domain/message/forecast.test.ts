import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration } from '#platform/duration.ts';
import { type ChannelLoad, forecast } from './forecast.ts';
import { openWindow } from './quiet-hours.ts';

const START = Date.parse('2026-11-22T12:00:00Z');
const HOUR = 3_600_000;
const NIGHT = { from: '21:00', to: '08:00' };
const inZone = (zone: string) => (at: number) => openWindow(at, zone, NIGHT);

const sms = (calls: number, change: Partial<ChannelLoad> = {}): ChannelLoad => ({
  channel: 'sms',
  people: calls,
  units: calls * (change.unitsPerCall ?? 1),
  unitsPerCall: 1,
  unitsPerSecond: 1,
  ahead: { same: 0, others: [] },
  steps: [{ afterSeconds: 0, groups: [{ calls }] }],
  ...change,
});
const only = (load: ChannelLoad, endsAt: number | null = null) => {
  const [row] = forecast(START, endsAt, [load]).perChannel;
  if (!row) throw new Error('a load gives a row');
  return row;
};

describe('one sender', () => {
  // It is 10,000 people with 2 segments each, over a long code, a toll-free number and a short code.
  test.each([
    [1, 20_000, '5 h 33 min'],
    [3, 6667, '1 h 51 min'],
    [100, 200, '3 min 20 s'],
  ])('10,000 people x 2 segments at %d a second', (unitsPerSecond, seconds, text) => {
    expect(only(sms(10_000, { unitsPerCall: 2, unitsPerSecond }))).toEqual({
      channel: 'sms',
      people: 10_000,
      units: 20_000,
      unitsPerSecond,
      unitsPerCall: 2,
      unitsAhead: 0,
      held: 0,
      late: 0,
      seconds,
    });
    expect(formatDuration(seconds)).toBe(text);
  });

  test('what waits there in the same class goes first, another class takes turns', () => {
    expect(only(sms(100, { ahead: { same: 50, others: [] } }))).toMatchObject({ unitsAhead: 50, seconds: 150 });
    expect(only(sms(100, { ahead: { same: 0, others: [1_000_000] } }))).toMatchObject({ unitsAhead: 100, seconds: 200 });
    expect(only(sms(100, { ahead: { same: 0, others: [30, 1_000_000] } }))).toMatchObject({ unitsAhead: 130, seconds: 230 });
  });

  test('a later wave waits for its time, and for those before it', () => {
    const steps = (after: number) => [
      { afterSeconds: 0, groups: [{ calls: 100 }] },
      { afterSeconds: after, groups: [{ calls: 50 }] },
    ];
    expect(only(sms(100, { steps: steps(600) })).seconds).toBe(650);
    expect(only(sms(100, { steps: steps(60) })).seconds).toBe(150);
    expect(only(sms(100, { steps: steps(600), unitsPerSecond: null })).seconds).toBe(600);
  });

  test('calls whose turn comes after the end are late', () => {
    expect(only(sms(7_200), START + HOUR)).toMatchObject({ seconds: 7_200, late: 3_600 });
    expect(only(sms(3_600), START + HOUR).late).toBe(0);
  });
});

describe('quiet hours', () => {
  const held = (zone: string, calls: number) => ({ calls, windowAt: inZone(zone) });

  test('who sleeps waits for the morning, also where no rate holds him back', () => {
    // It is 21:00 in Tokyo, where the window opens at 23:00 UTC.
    const groups = [held('UTC', 600), held('Asia/Tokyo', 60)];
    expect(only(sms(660, { steps: [{ afterSeconds: 0, groups }] }))).toMatchObject({ held: 60, seconds: 11 * 3600 + 60 });
    expect(only(sms(660, { unitsPerSecond: null, steps: [{ afterSeconds: 0, groups }] }))).toMatchObject({ held: 60, seconds: 11 * 3600 });
    expect(only(sms(60, { unitsPerSecond: null, steps: [{ afterSeconds: 0, groups: [held('UTC', 60)] }] })).seconds).toBeNull();
  });

  test('what is not done by the evening goes on in the morning', () => {
    // Nine hours of the day are left, and the work takes an hour more.
    const groups = [held('UTC', 10 * 3600)];
    expect(only(sms(36_000, { steps: [{ afterSeconds: 0, groups }] })).seconds).toBe(20 * 3600 + 3600);
    expect(only(sms(36_000, { steps: [{ afterSeconds: 0, groups }] }), START + 20 * HOUR).late).toBe(3600);
  });

  test('never earlier than without them, never more than the walk through the nights later', () => {
    const zones = ['UTC', 'Asia/Tokyo', 'America/New_York', 'Australia/Sydney', 'Asia/Kolkata'];
    fc.assert(
      fc.property(fc.array(fc.record({ zone: fc.constantFrom(...zones), calls: fc.integer({ min: 0, max: 20_000 }) }), { maxLength: 5 }), (parts) => {
        const calls = parts.reduce((sum, part) => sum + part.calls, 0);
        const plain = only(sms(calls)).seconds ?? 0;
        const night = only(sms(calls, { steps: [{ afterSeconds: 0, groups: parts.map((part) => held(part.zone, part.calls)) }] })).seconds ?? 0;
        expect(night).toBeGreaterThanOrEqual(plain);
        // 13 of 24 hours are open in each zone.
        expect(night).toBeLessThanOrEqual((plain / 13) * 24 + 2 * 86_400);
      }),
    );
  });
});

describe('all channels', () => {
  test('the slowest decides, and one without a rate does not', () => {
    const result = forecast(START, null, [
      sms(900, { channel: 'push', unitsPerSecond: null }),
      sms(100, { unitsPerCall: 2, unitsPerSecond: 10 }),
      sms(500, { channel: 'email', unitsPerSecond: 100 }),
    ]);
    expect(result.seconds).toBe(20);
    expect(result.perChannel.map((row) => row.seconds)).toEqual([null, 20, 5]);
  });

  test('no rate anywhere, or nobody, gives no figure', () => {
    expect(forecast(START, null, [sms(5, { unitsPerSecond: null })]).seconds).toBeNull();
    expect(forecast(START, null, [sms(0, { ahead: { same: 100, others: [] } })]).seconds).toBeNull();
    expect(forecast(START, null, [])).toEqual({ seconds: null, perChannel: [] });
  });
});
