const sorted = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b);

export function median(values: readonly number[]): number {
  const all = sorted(values);
  const middle = all.length / 2;
  return all.length % 2 === 1 ? (all[Math.floor(middle)] ?? Number.NaN) : ((all[middle - 1] ?? Number.NaN) + (all[middle] ?? Number.NaN)) / 2;
}

/**
 * Percentile by nearest rank: the value at or below which `share` of them lie. The 99th percentile of 20 values is the
 * largest.
 */
export function percentile(values: readonly number[], share: number): number {
  return sorted(values)[Math.max(0, Math.ceil(values.length * share) - 1)] ?? Number.NaN;
}

/** Rounds to three significant digits; null stands for what could not be measured, since JSON has no NaN. */
export function round(value: number): number | null {
  if (!Number.isFinite(value)) return null;
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(3));
}

/** The most units in any window of one second, `[at, at + 1000)`, over all events. */
export function busiestSecond(events: readonly { readonly at: number; readonly units: number }[]): number {
  const all = events.toSorted((a, b) => a.at - b.at);
  let first = 0;
  let units = 0;
  let most = 0;
  for (const event of all) {
    units += event.units;
    while ((all[first]?.at ?? event.at) <= event.at - 1000) units -= all[first++]?.units ?? 0;
    most = Math.max(most, units);
  }
  return most;
}
