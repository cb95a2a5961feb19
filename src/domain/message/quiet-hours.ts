import { knownZone, offsetMs } from '#domain/clock-time.ts';

/** Hours of the night, on the clock of the person, in which nobody is sent a campaign. `from` may be later than `to`. */
export interface QuietHours {
  /** `HH:MM`, 24 hours: the first minute that is quiet. */
  readonly from: string;
  /** `HH:MM`, 24 hours: the first minute that is no longer quiet. */
  readonly to: string;
}

/** The time in which people of a zone may be called, in milliseconds since the epoch. `until` is not part of it. */
export interface OpenWindow {
  /** The instant that was asked about, where it is in the window. */
  readonly from: number;
  readonly until: number;
}

const CLOCK = /^([01]\d|2[0-3]):([0-5]\d)$/;
const DAY_MINUTES = 1_440;
const DAY_MS = 86_400_000;

/** Reads the tenant's quiet hours out of its policy. @returns null where it has none */
export function quietHoursOf(policy: Readonly<Record<string, unknown>>): QuietHours | null {
  const { from, to } = (policy['quietHours'] ?? {}) as Record<string, unknown>;
  return typeof from === 'string' && typeof to === 'string' && CLOCK.test(from) && CLOCK.test(to) && from !== to ? { from, to } : null;
}

const minutesOf = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));

/** When the wall clock of the zone next shows these minutes after midnight, later than `at`. */
function next(at: number, minutes: number, timeZone: string): number {
  const local = at + offsetMs(at, timeZone);
  let wanted = Math.floor(local / DAY_MS) * DAY_MS + minutes * 60_000;
  if (wanted <= local) wanted += DAY_MS;
  // It is computed twice, with the offset of the instant itself, since the clocks may change in between.
  const found = wanted - offsetMs(wanted - offsetMs(at, timeZone), timeZone);
  // A clock that is put back shows the same minute again, which has been already.
  return found > at ? found : found + DAY_MS;
}

/**
 * Finds when people of a zone may be called next: the window that `at` is in, or the one after the quiet hours that it is in.
 * @param at milliseconds since the epoch
 * @param timeZone an IANA name; a name that the runtime does not know counts as UTC
 */
export function openWindow(at: number, timeZone: string, quiet: QuietHours): OpenWindow {
  const zone = knownZone(timeZone);
  const [begin, end] = [minutesOf(quiet.from), minutesOf(quiet.to)];
  const minute = Math.floor((at + offsetMs(at, zone)) / 60_000) % DAY_MINUTES;
  const isQuiet = begin < end ? minute >= begin && minute < end : minute >= begin || minute < end;
  const from = isQuiet ? next(at, end, zone) : at;
  return { from, until: next(from, begin, zone) };
}
