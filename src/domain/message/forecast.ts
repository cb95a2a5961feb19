import type { Channel } from '#schemas/delivery.ts';
import type { ChannelForecast, Forecast } from '#schemas/views.ts';
import type { OpenWindow } from './quiet-hours.ts';

/** People of one wave who may be called at the same hours. */
export interface CallGroup {
  readonly calls: number;
  /** When they may be called, at or after a time in milliseconds; without it at any hour. */
  readonly windowAt?: (at: number) => OpenWindow;
}

export interface StepLoad {
  /** Seconds after the launch. */
  readonly afterSeconds: number;
  readonly groups: readonly CallGroup[];
}

export interface ChannelLoad {
  readonly channel: Channel;
  readonly people: number;
  /** Billing units of all calls: SMS segments, else messages. */
  readonly units: number;
  /** Units that each call takes of the sender's rate: those of the longest rendering, whatever the shorter ones take. */
  readonly unitsPerCall: number;
  /** The rate of the sender as it is now; null means as fast as the provider takes them. */
  readonly unitsPerSecond: number | null;
  /** Units that wait at this sender already. Those of the same class go first, those of each other class alternate with these. */
  readonly ahead: { readonly same: number; readonly others: readonly number[] };
  readonly steps: readonly StepLoad[];
}

/** Quiet hours are looked through for this long at most, since no message lives longer (72 h and the wait before). */
const HORIZON_MS = 8 * 86_400_000;

/**
 * Forecasts when the last person is handed to a provider, if nothing goes wrong. A channel takes what waits at its sender and
 * the calls themselves, divided by the sender's rate, and longer where quiet hours or a later wave hold people back. Channels
 * work at the same time, so the slowest one counts. Without a rate a channel has a figure only where somebody waits.
 *
 * @param startsAt the launch, in milliseconds
 * @param endsAt when the message expires, in milliseconds; calls that come later are counted as `late`
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
  // Every class has workers of its own, and each takes the sender's rate in turn, so that what waits of another class goes
  // half and half with this one until either is done.
  const unitsAhead = ahead.same + ahead.others.reduce((sum, other) => sum + Math.min(other, own), 0);
  const msPerCall = unitsPerSecond === null ? 0 : (unitsPerCall / unitsPerSecond) * 1000;
  const queue: Queue = { at: startsAt, late: 0, msPerCall, endsAt };
  if (unitsPerSecond !== null) queue.at += (unitsAhead / unitsPerSecond) * 1000;
  for (const step of [...load.steps].sort((a, b) => a.afterSeconds - b.afterSeconds)) serve(queue, startsAt + step.afterSeconds * 1000, step.groups);
  const held = load.steps.flatMap(({ afterSeconds, groups }) => {
    const from = startsAt + afterSeconds * 1000;
    return groups.filter((group) => (group.windowAt?.(from).from ?? from) > from);
  });
  const waits = queue.at > startsAt;
  return {
    channel,
    people,
    units,
    unitsPerSecond,
    unitsPerCall,
    unitsAhead: calls === 0 ? 0 : unitsAhead,
    held: held.reduce((sum, group) => sum + group.calls, 0),
    late: Math.round(queue.late),
    seconds: calls === 0 ? (unitsPerSecond === null ? null : 0) : unitsPerSecond === null && !waits ? null : Math.ceil((queue.at - startsAt) / 1000),
  };
}

/** The queue of a sender, which makes one call after the other. */
interface Queue {
  /** When the next call can begin, in milliseconds. */
  at: number;
  /** Calls after the end of the message. */
  late: number;
  readonly msPerCall: number;
  readonly endsAt: number;
}

/** Calls the groups in the order in which their windows open, as the workers do, which take the batch that is due first. */
function serve(queue: Queue, from: number, groups: readonly CallGroup[]): void {
  const waiting = groups.filter((group) => group.calls > 0).map(({ calls, windowAt }) => ({ calls, windowAt }));
  const horizon = from + HORIZON_MS;
  queue.at = waiting.length > 0 ? Math.max(queue.at, from) : queue.at;
  while (waiting.length > 0 && queue.at < horizon) {
    const windows = waiting.map((group) => group.windowAt?.(queue.at) ?? { from: queue.at, until: Number.POSITIVE_INFINITY });
    const first = windows.reduce((best, window, i) => (window.from < (windows[best]?.from ?? 0) ? i : best), 0);
    const [group, window] = [waiting[first], windows[first]];
    if (!group || !window) return;
    const begin = Math.max(queue.at, window.from);
    const { msPerCall, endsAt } = queue;
    const fit = msPerCall === 0 ? group.calls : Math.min(group.calls, Math.max(1, Math.floor((window.until - begin) / msPerCall)));
    queue.at = begin + fit * msPerCall;
    const inTime = msPerCall === 0 ? (begin < endsAt ? fit : 0) : Math.min(fit, Math.max(0, (endsAt - begin) / msPerCall));
    queue.late += fit - inTime;
    group.calls -= fit;
    if (group.calls <= 0) waiting.splice(first, 1);
  }
}
