import { BoundedMap } from './bounded-map.ts';
import { dateFormats } from './date-formats.ts';

const DAY_MS = 86_400_000;
const HALF_DAY_MS = DAY_MS / 2;
/** "13:45" read at 13:50 means five minutes ago, not tomorrow, since the person is just arriving. */
const GRACE_MS = 2 * 3_600_000;
/** Where am or pm is missing, the past is less likely than the other half of the day. */
const SHORT_GRACE_MS = 10 * 60_000;

const wallClock = dateFormats({ hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' });
const hourAndMinute = dateFormats({ hourCycle: 'h23', hour: '2-digit', minute: '2-digit' });

/** By how many milliseconds the wall clocks of the zone are ahead of UTC at that instant. */
export function offsetMs(at: number, timeZone: string): number {
  const parts = wallClock('en-US', timeZone).formatToParts(at);
  const get = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  return Date.UTC(get('year'), get('month') - 1, get('day'), get('hour'), get('minute'), get('second')) - Math.floor(at / 1000) * 1000;
}

/** Keeps the names that were asked for, right or wrong. There are some 600 zones. */
const zones = new BoundedMap<string, string>(1_000);

/** @returns the IANA zone, or UTC where this runtime does not know the name */
export function knownZone(timeZone: string | null | undefined): string {
  const name = timeZone ?? 'UTC';
  let known = zones.get(name);
  if (known === undefined) {
    known = zoneOf(name);
    zones.set(name, known);
  }
  return known;
}

function zoneOf(name: string): string {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return 'UTC';
  }
}

/**
 * Finds the instant that a person means by a time on the clock: the next one, or one just past. `H:MM` with one digit leaves
 * morning or afternoon open, so the nearer one counts.
 * @returns milliseconds since the epoch
 */
export function instantOfClock(clock: string, now: number, timeZone: string): number {
  const [hour = 0, minute = 0] = clock.split(':').map(Number);
  const local = now + offsetMs(now, timeZone);
  const midnight = Math.floor(local / DAY_MS) * DAY_MS;
  const open = /^\d:/.test(clock);
  let wanted = midnight + (hour * 60 + minute) * 60_000;
  const step = open ? HALF_DAY_MS : DAY_MS;
  const grace = open ? SHORT_GRACE_MS : GRACE_MS;
  while (wanted < local - grace) wanted += step;
  while (wanted - step >= local - grace) wanted -= step;
  const guess = wanted - offsetMs(now, timeZone);
  // It is computed once more with the offset of that instant, since the clocks may change in between.
  return wanted - offsetMs(guess, timeZone);
}

/** Writes an instant as `14:10`, on the clock of the zone. */
export const clockOf = (at: number | Date, timeZone: string): string => hourAndMinute('en-GB', timeZone).format(at);
