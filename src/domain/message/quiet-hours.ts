import { knownZone, offsetMs } from '#domain/clock-time.ts';

/** Hours of the night, on the clock of the person, in which nobody is sent a campaign. `from` may be later than `to`. */
export interface QuietHours {
  /** `HH:MM`, 24 hours: quiet from this minute on, */
  readonly from: string;
  /** and no longer quiet at this one. */
  readonly to: string;
}

/** A stretch of time in which people of a zone may be called. Milliseconds since the epoch; `until` is not part of it. */
export interface OpenWindow {
  /** The instant asked about where it is open then. */
  readonly from: number;
  readonly until: number;
}

const CLOCK = /^([01]\d|2[0-3]):([0-5]\d)$/;
const DAY_MINUTES = 1_440;
const DAY_MS = 86_400_000;

/** The tenant's quiet hours out of its policy; null where it has none. */
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
  // Twice, with the offset of the instant itself: the clocks may change in between.
  const found = wanted - offsetMs(wanted - offsetMs(at, timeZone), timeZone);
  // A clock that is put back shows the same minute again: that one has been.
  return found > at ? found : found + DAY_MS;
}

/**
 * When people of a zone may be called next: the window that `at` lies in, or the one after the quiet hours that it lies in.
 * @param timeZone IANA name; one that the runtime does not know counts as UTC
 */
export function openWindow(at: number, timeZone: string, quiet: QuietHours): OpenWindow {
  const zone = knownZone(timeZone);
  const [begin, end] = [minutesOf(quiet.from), minutesOf(quiet.to)];
  const minute = Math.floor((at + offsetMs(at, zone)) / 60_000) % DAY_MINUTES;
  const isQuiet = begin < end ? minute >= begin && minute < end : minute >= begin || minute < end;
  const from = isQuiet ? next(at, end, zone) : at;
  return { from, until: next(from, begin, zone) };
}
