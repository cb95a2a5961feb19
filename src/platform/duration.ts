const STEPS = [
  { seconds: 86_400, sign: 'd' },
  { seconds: 3600, sign: 'h' },
  { seconds: 60, sign: 'min' },
  { seconds: 1, sign: 's' },
] as const;

/**
 * A duration as people read it, in its two largest units: "5 h 33 min", "3 min 20 s", "45 s". The signs are those of SI and
 * ISO 80000, which are the same in every language.
 */
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
