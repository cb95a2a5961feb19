import { expect, test } from 'vitest';
import { clockOf, instantOfClock, knownZone } from './clock-time.ts';

const at = (text: string) => Date.parse(text);

test.each([
  ['13:45', '2026-06-01T13:00:00Z', 'UTC', '2026-06-01T13:45:00Z'],
  ['13:45', '2026-06-01T13:50:00Z', 'UTC', '2026-06-01T13:45:00Z'],
  ['08:00', '2026-06-01T20:00:00Z', 'UTC', '2026-06-02T08:00:00Z'],
  ['00:15', '2026-06-01T23:50:00Z', 'UTC', '2026-06-02T00:15:00Z'],
  ['23:50', '2026-06-02T00:15:00Z', 'UTC', '2026-06-01T23:50:00Z'],
  ['2:30', '2026-06-01T13:10:00Z', 'UTC', '2026-06-01T14:30:00Z'],
  ['9:00', '2026-06-01T08:10:00Z', 'UTC', '2026-06-01T09:00:00Z'],
  ['9:00', '2026-06-01T22:10:00Z', 'UTC', '2026-06-02T09:00:00Z'],
  ['13:45', '2026-06-01T10:00:00Z', 'Europe/Berlin', '2026-06-01T11:45:00Z'],
  ['18:00', '2026-06-01T23:30:00Z', 'Asia/Tokyo', '2026-06-02T09:00:00Z'],
  // The clocks go back at 01:00 UTC that night.
  ['06:00', '2026-10-24T22:00:00Z', 'Europe/Berlin', '2026-10-25T05:00:00Z'],
])('%s said at %s in %s', (clock, now, zone, expected) => {
  expect(new Date(instantOfClock(clock, at(now), zone)).toISOString()).toBe(new Date(expected).toISOString());
});

test('an unknown zone is UTC, and a clock is written in the zone', () => {
  expect(knownZone('Mars/Olympus')).toBe('UTC');
  expect(knownZone(null)).toBe('UTC');
  expect(clockOf(at('2026-06-01T11:45:00Z'), 'Europe/Berlin')).toBe('13:45');
});
