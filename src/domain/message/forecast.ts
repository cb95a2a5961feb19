import type { Channel } from '#schemas/delivery.ts';
import type { ChannelForecast, Forecast } from '#schemas/views.ts';
import type { OpenWindow } from './quiet-hours.ts';

/** People of one wave who are called alike. */
export interface CallGroup {
  readonly calls: number;
  /** When they may be called, at or after a time in milliseconds; missing: at any hour. */
  readonly windowAt?: (at: number) => OpenWindow;
}

export interface StepLoad {
  /** From launch. */
  readonly afterSeconds: number;
  readonly groups: readonly CallGroup[];
}

export interface ChannelLoad {
  readonly channel: Channel;
  readonly people: number;
  /** Billing units over all calls: SMS segments, else messages. */
  readonly units: number;
  /** Units that the sender's budget is asked for, per call: the longest rendering, whatever the shorter ones take. */
  readonly unitsPerCall: number;
  /** Rate of the sender as it is now; null: as fast as the provider takes it. */
  readonly unitsPerSecond: number | null;
  /** Units that wait at this sender already: of the same class they go first, of each other class they take turns with these. */
  readonly ahead: { readonly same: number; readonly others: readonly number[] };
  readonly steps: readonly StepLoad[];
}

/** Waves of quiet hours are walked through for this long at most; no message lives longer (72 h and the wait before). */
const HORIZON_MS = 8 * 86_400_000;

/**
 * When the last person is handed over, if nothing goes wrong: per channel what waits at its sender and the calls
 * themselves, divided by the sender's rate, later where quiet hours or a later wave hold people back; over all the
 * slowest channel. Channels work at the same time. Without a rate a channel has a figure only where somebody waits.
 *
 * @param startsAt launch, in milliseconds
 * @param endsAt when the message expires, in milliseconds; calls whose turn comes later are counted `late`
 */
export function forecast(startsAt: number, endsAt: number | null, loads: readonly ChannelLoad[]): Forecast {
  const perChannel = loads.map((load) => channelForecast(startsAt, endsAt ?? Number.POSITIVE_INFINITY, load));
  const known = perChannel.filter((row) => row.people > 0 && row.seconds !== null).map((row) => row.seconds ?? 0);
  return { seconds: known.length > 0 ? Math.max(...known) : null, perChannel };
}

function channelForecast(startsAt: number, endsAt: number, load: ChannelLoad): ChannelForecast {
  const { channel, people, units, unitsPerCall, unitsPerSecond, ahead } = load;
  const calls = load.steps.flatMap((step) => step.groups).reduce((sum, group) => sum + group.calls, 0);
  const own = ahead.same + calls * unitsPerCall;
  // Every class has workers of its own and each asks the sender's budget in turn, so that what another class has waiting
  // goes half and half with this one until either is done.
  const unitsAhead = ahead.same + ahead.others.reduce((sum, other) => sum + Math.min(other, own), 0);
  const msPerCall = unitsPerSecond === null ? 0 : (unitsPerCall / unitsPerSecond) * 1000;
  const line: Line = { at: startsAt, late: 0, msPerCall, endsAt };
  if (unitsPerSecond !== null) line.at += (unitsAhead / unitsPerSecond) * 1000;
  for (const step of [...load.steps].sort((a, b) => a.afterSeconds - b.afterSeconds)) serve(line, startsAt + step.afterSeconds * 1000, step.groups);
  const held = load.steps.flatMap(({ afterSeconds, groups }) => {
    const from = startsAt + afterSeconds * 1000;
    return groups.filter((group) => (group.windowAt?.(from).from ?? from) > from);
  });
  const waits = line.at > startsAt;
  return {
    channel,
    people,
    units,
    unitsPerSecond,
    unitsPerCall,
    unitsAhead: calls === 0 ? 0 : unitsAhead,
    held: held.reduce((sum, group) => sum + group.calls, 0),
    late: Math.round(line.late),
    seconds: calls === 0 ? (unitsPerSecond === null ? null : 0) : unitsPerSecond === null && !waits ? null : Math.ceil((line.at - startsAt) / 1000),
  };
}

/** A sender at work: one call after the other. */
interface Line {
  at: number;
  late: number;
  readonly msPerCall: number;
  readonly endsAt: number;
}

/** Calls the groups in the order in which their windows open, as the workers take them: oldest due first. */
function serve(line: Line, from: number, groups: readonly CallGroup[]): void {
  const waiting = groups.filter((group) => group.calls > 0).map(({ calls, windowAt }) => ({ calls, windowAt }));
  const horizon = from + HORIZON_MS;
  line.at = waiting.length > 0 ? Math.max(line.at, from) : line.at;
  while (waiting.length > 0 && line.at < horizon) {
    const windows = waiting.map((group) => group.windowAt?.(line.at) ?? { from: line.at, until: Number.POSITIVE_INFINITY });
    const first = windows.reduce((best, window, i) => (window.from < (windows[best]?.from ?? 0) ? i : best), 0);
    const [group, window] = [waiting[first], windows[first]];
    if (!group || !window) return;
    const begin = Math.max(line.at, window.from);
    const fit = line.msPerCall === 0 ? group.calls : Math.min(group.calls, Math.max(1, Math.floor((window.until - begin) / line.msPerCall)));
    line.at = begin + fit * line.msPerCall;
    const inTime = line.msPerCall === 0 ? (begin < line.endsAt ? fit : 0) : Math.min(fit, Math.max(0, (line.endsAt - begin) / line.msPerCall));
    line.late += fit - inTime;
    group.calls -= fit;
    if (group.calls <= 0) waiting.splice(first, 1);
  }
}
