/** The only reader of the machine's clock. Leases, expiry and schedules use the database's clock instead. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Monotonic milliseconds, for durations. */
export const monotonicMs = (): number => performance.now();
