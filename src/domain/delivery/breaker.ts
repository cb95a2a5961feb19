import type { MessageClass } from '#schemas/delivery.ts';
import type { Outcome } from './outcome.ts';

/** How a sender's provider is doing, as the sender's row holds it for all workers. Times are milliseconds of the database's clock. */
export interface Breaker {
  /** Failed calls since the last good one. */
  readonly run: number;
  /** When the counted window began, how many calls it has, and how many of them failed. */
  readonly windowAt: number;
  readonly calls: number;
  readonly failed: number;
  /** Null while the breaker is closed, when everything goes. */
  readonly openedAt: number | null;
  /** The raw code that opened it. */
  readonly code: string | null;
  /** Failed probes since it opened. */
  readonly probes: number;
  /** When the next probe of ops and bulk may go. */
  readonly probeAt: number;
  /** When the next probe of life may go. */
  readonly lifeProbeAt: number;
}

/** What one slice says of its provider. */
export interface Hearing {
  readonly good: number;
  readonly bad: number;
  /** The raw code of a failed call. */
  readonly code: string | null;
  /** Whether the slice was let through an open breaker to find out. */
  readonly probe: boolean;
}

/** For so long failures are counted. Good slices are written down only while one is being counted. */
export const WINDOW_MS = 10_000;
/** So many failed calls in a row open the breaker: ten people of a small message, or a tenth of one slice of a large one. */
export const RUN = 10;
/** This share of the window's calls opens it too, once there are enough calls to speak of a share. */
const SHARE = 0.5;
const SHARE_OF = 20;

/** People of a probe. A campaign may lose each of them to doubt, so they are few; but a single one may have a bad number. */
export const PROBE_PEOPLE = 3;
/**
 * The next probe does not wait longer than this for one that says nothing, because its worker died or its provider is silent. A
 * call may take 20 s to fail, and a provider that hung was then asked for the first time after 25 s.
 */
export const PROBE_LEASE_MS = 10_000;
/** How long life waits for its next probe; doubled with each failed one. */
const LIFE_PROBE_MS = { first: 1_000, most: 5_000 };
/** How long ops and bulk wait: a part of the time that it has been open, so that nobody waits much longer than the provider was away. */
const OTHER_PROBE_MS = { part: 0.1, least: 5_000, most: 60_000 };

export const CLOSED: Breaker = { run: 0, windowAt: 0, calls: 0, failed: 0, openedAt: null, code: null, probes: 0, probeAt: 0, lifeProbeAt: 0 };

/** The time from the end of one probe to the next, after `probes` failed ones and `openMs` after the breaker opened. */
export function probeDelayMs(messageClass: MessageClass, probes: number, openMs: number): number {
  if (messageClass === 'life') return Math.min(LIFE_PROBE_MS.first * 2 ** Math.min(probes, 10), LIFE_PROBE_MS.most);
  return Math.min(Math.max(openMs * OTHER_PROBE_MS.part, OTHER_PROBE_MS.least), OTHER_PROBE_MS.most);
}

/** The longest time that life waits for the answer of a probe before the next one asks. */
export const LIFE_PROBE_LEASE_MS = LIFE_PROBE_MS.most;

/**
 * Whether calls of this class are held. Life is held only while nothing at all goes through, because half a provider is better
 * for it than none, and each of its calls that ends in doubt is made again.
 */
export function isHeld(breaker: Breaker, messageClass: MessageClass): boolean {
  return breaker.openedAt !== null && (messageClass !== 'life' || breaker.run >= RUN);
}

/**
 * What the outcomes of a slice say of the provider. Refusals of one person say nothing of it, nor does "too fast", and what our
 * own end did (closing) says even less.
 */
export function hearingOf(outcomes: readonly Outcome[], probe: boolean): Hearing {
  let good = 0;
  let bad = 0;
  let code: string | null = null;
  for (const outcome of outcomes) {
    if (outcome.kind === 'accepted' || outcome.kind === 'gone') good += 1;
    if (outcome.kind !== 'unknown' && (outcome.kind !== 'retryable' || outcome.code === 'closing')) continue;
    bad += 1;
    code = outcome.code;
  }
  return { good, bad, code, probe };
}

/** The breaker after a slice. */
export function hear(breaker: Breaker, heard: Hearing, now: number): Breaker {
  if (breaker.openedAt !== null && heard.probe) return afterProbe(breaker, heard, now);
  const open = breaker.openedAt !== null;
  // While it is open nothing may be written for minutes, so what is known of life's way is kept.
  const past = now - breaker.windowAt >= WINDOW_MS ? { ...breaker, windowAt: now, calls: 0, failed: 0, run: open ? breaker.run : 0 } : breaker;
  const next = {
    ...past,
    run: heard.good > 0 ? 0 : past.run + heard.bad,
    calls: past.calls + heard.good + heard.bad,
    failed: past.failed + heard.bad,
  };
  const trips = next.run >= RUN || (next.calls >= SHARE_OF && next.failed >= next.calls * SHARE);
  return open || heard.bad === 0 || !trips ? next : { ...next, openedAt: now, code: heard.code, probes: 0, ...probesFrom(now, 0, 0) };
}

/** Any failure keeps it open, and the next probe waits the longer, the longer it has been open. Only good calls close it. */
function afterProbe(breaker: Breaker, heard: Hearing, now: number): Breaker {
  if (heard.bad > 0) {
    const probes = breaker.probes + 1;
    return {
      ...breaker,
      run: heard.good > 0 ? 0 : breaker.run + heard.bad,
      code: heard.code,
      probes,
      ...probesFrom(now, probes, now - (breaker.openedAt ?? now)),
    };
  }
  if (heard.good > 0) return CLOSED;
  // Nobody was called, or all were refused for reasons of their own, so the next people are tried a second later.
  return { ...breaker, probeAt: now + LIFE_PROBE_MS.first, lifeProbeAt: now + LIFE_PROBE_MS.first };
}

const probesFrom = (now: number, probes: number, openMs: number): Pick<Breaker, 'probeAt' | 'lifeProbeAt'> => ({
  probeAt: now + probeDelayMs('bulk', probes, openMs),
  lifeProbeAt: now + probeDelayMs('life', probes, openMs),
});
