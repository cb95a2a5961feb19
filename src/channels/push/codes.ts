import type { Outcome } from '#domain/delivery/outcome.ts';

type Verdict = 'accepted' | 'gone' | 'throttled' | 'misconfigured' | 'rejected' | 'retryable';

/** How push services answer a message (RFC 8030 section 5, and what the services really do). */
const STATUSES: Readonly<Record<number, Verdict>> = {
  200: 'accepted', // FCM has answered 200
  201: 'accepted', // stored; not shown yet
  202: 'accepted', // stored, receipt to come (RFC 8030 section 5.1)
  400: 'rejected', // malformed; also Mozilla's answer to a bad token of the endpoint
  401: 'misconfigured', // VAPID refused: see `Standing`
  403: 'misconfigured', // VAPID key is not the one subscribed with; Apple: BadJwtToken
  404: 'gone', // subscription expired (section 7.3)
  406: 'throttled', // WNS says this when too fast
  408: 'retryable', // the service did not get the whole request
  410: 'gone', // unsubscribed
  413: 'rejected', // larger than the service takes
  429: 'throttled',
};

/** @param retryAfterMs what the answer asked for, or the default */
export function statusOutcome(status: number, retryAfterMs: number, providerId: string | null): Outcome {
  const code = `http_${status}`;
  if (status >= 500) return { kind: 'unknown', code };
  switch (STATUSES[status]) {
    case 'accepted':
      return { kind: 'accepted', providerId, units: 1 };
    case 'gone':
      return { kind: 'gone', code, reason: 'subscription_gone' };
    case 'throttled':
      return { kind: 'throttled', code, retryAfterMs };
    case 'misconfigured':
      return { kind: 'misconfigured', code, detail: 'The push service refuses our VAPID signature: check the key pair and VAPID_SUBJECT.' };
    case 'retryable':
      return { kind: 'retryable', code };
    default:
      // Redirects end here too, since they are never followed.
      return { kind: 'rejected', code };
  }
}

/** The best outcome comes first, as a person may have several devices. "Possibly shown" outranks "certainly not". */
const ORDER: readonly Outcome['kind'][] = ['accepted', 'unknown', 'throttled', 'retryable', 'not_called', 'misconfigured', 'rejected', 'gone'];

export const bestOutcome = (outcomes: readonly Outcome[]): Outcome | undefined =>
  outcomes.reduce<Outcome | undefined>((best, one) => (!best || ORDER.indexOf(one.kind) < ORDER.indexOf(best.kind) ? one : best), undefined);
