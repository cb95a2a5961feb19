/** What one generation (or cohort) of sharers brought, as sums, so that a million people need no list. */
export interface Cohort {
  /** People who have had time to pass the message on. */
  readonly people: number;
  /** People whom they brought. */
  readonly children: number;
  /** The sum of the squares of how many people each of them brought. */
  readonly squares: number;
}

export interface Reproduction {
  /** People whom each person brought on average; `low` and `high` are its 95 % interval. */
  readonly r: number;
  readonly low: number;
  readonly high: number;
  readonly people: number;
}

/** With fewer people who have had time to share, a mean says more about chance than about the message. */
export const MIN_MATURE = 30;
const Z = 1.96;

/**
 * Estimates how many people each person brought on average, with a 95 % interval; 'too_early' below 30 people who have had
 * time to share.
 *
 * It uses Byar's approximation of the exact Poisson interval, on counts scaled down by the overdispersion. A few people bring
 * many, so the variance exceeds the mean, and a plain Poisson interval would be too narrow.
 */
export function reproduction({ people, children, squares }: Cohort): Reproduction | 'too_early' {
  if (people < MIN_MATURE) return 'too_early';
  const mean = children / people;
  const variance = (squares - people * mean * mean) / (people - 1);
  const spread = mean > 0 ? Math.max(1, variance / mean) : 1;
  const events = children / spread;
  const exposure = people / spread;
  const low = events > 0 ? events * (1 - 1 / (9 * events) - Z / (3 * Math.sqrt(events))) ** 3 : 0;
  const high = (events + 1) * (1 - 1 / (9 * (events + 1)) + Z / (3 * Math.sqrt(events + 1))) ** 3;
  return { r: mean, low: Math.max(0, low / exposure), high: high / exposure, people };
}
