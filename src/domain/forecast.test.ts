import { describe, expect, test } from 'vitest';
import { forecast, formatDuration } from './forecast.ts';

describe('forecast', () => {
  // 10,000 people x 2 segments over a long code, a toll-free number and a short code.
  test.each([
    [1, 20_000, '5 h 33 min'],
    [3, 6667, '1 h 51 min'],
    [100, 200, '3 min 20 s'],
  ])('20,000 segments at %d a second', (unitsPerSecond, seconds, text) => {
    const result = forecast([{ channel: 'sms', people: 10_000, units: 20_000, unitsPerSecond }]);
    expect(result).toEqual({ seconds, perChannel: [{ channel: 'sms', people: 10_000, units: 20_000, unitsPerSecond, seconds }] });
    expect(formatDuration(seconds)).toBe(text);
  });

  test('the slowest channel decides, and one without a rate does not', () => {
    const result = forecast([
      { channel: 'push', people: 900, units: 900, unitsPerSecond: null },
      { channel: 'sms', people: 100, units: 200, unitsPerSecond: 10 },
      { channel: 'email', people: 500, units: 500, unitsPerSecond: 100 },
    ]);
    expect(result.seconds).toBe(20);
    expect(result.perChannel.map((row) => row.seconds)).toEqual([null, 20, 5]);
  });

  test('no rate anywhere, or nobody, gives no figure', () => {
    expect(forecast([{ channel: 'push', people: 5, units: 5, unitsPerSecond: null }]).seconds).toBeNull();
    expect(forecast([{ channel: 'sms', people: 0, units: 0, unitsPerSecond: 1 }]).seconds).toBeNull();
    expect(forecast([])).toEqual({ seconds: null, perChannel: [] });
  });
});

test.each([
  [0, '0 s'],
  [0.2, '< 1 s'],
  [59.4, '59 s'],
  [60, '1 min'],
  [61, '1 min 1 s'],
  [3600, '1 h'],
  [3659, '1 h'],
  [86_399, '23 h 59 min'],
  [90_000, '1 d 1 h'],
])('%d seconds read %s', (seconds, text) => {
  expect(formatDuration(seconds)).toBe(text);
});
