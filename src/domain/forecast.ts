import type { Channel } from '#schemas/delivery.ts';
import type { Forecast } from '#schemas/views.ts';

export interface ChannelLoad {
  readonly channel: Channel;
  readonly people: number;
  /** Billing units over all these people: SMS segments, else messages. */
  readonly units: number;
  /** Rate of the sender; null: as fast as the provider takes it. */
  readonly unitsPerSecond: number | null;
}

/**
 * When the last person is handed over: per channel units / rate, and over all the slowest. Channels work at the same
 * time. Without a rate a channel has no figure and does not hold back the whole; the whole is null where no channel
 * with people has one.
 */
export function forecast(perChannel: readonly ChannelLoad[]): Forecast {
  const rows = perChannel.map(({ channel, people, units, unitsPerSecond }) => ({
    channel,
    people,
    units,
    unitsPerSecond,
    seconds: unitsPerSecond === null ? null : Math.ceil(units / unitsPerSecond),
  }));
  const known = rows.filter((row) => row.people > 0 && row.seconds !== null).map((row) => row.seconds ?? 0);
  return { seconds: known.length > 0 ? Math.max(...known) : null, perChannel: rows };
}

const STEPS = [
  { seconds: 86_400, sign: 'd' },
  { seconds: 3600, sign: 'h' },
  { seconds: 60, sign: 'min' },
  { seconds: 1, sign: 's' },
] as const;

/** For people, to two steps: "5 h 33 min", "3 min 20 s", "45 s". Signs of SI and ISO 80000, the same in every language. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const at = STEPS.findIndex((step) => whole >= step.seconds);
  const first = STEPS[at];
  if (!first) return seconds > 0 ? '< 1 s' : '0 s';
  const next = STEPS[at + 1];
  const rest = next ? Math.floor((whole % first.seconds) / next.seconds) : 0;
  const head = `${Math.floor(whole / first.seconds)} ${first.sign}`;
  return next && rest > 0 ? `${head} ${rest} ${next.sign}` : head;
}
