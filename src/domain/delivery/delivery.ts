import type { DeliveryState, MessageClass } from '#schemas/delivery.ts';
import type { Outcome } from './outcome.ts';

/** What a settle writes for one delivery. */
export interface Settlement {
  readonly state: DeliveryState;
  readonly code: string | null;
  readonly providerId: string | null;
  readonly units: number;
  /** Milliseconds from now by the database's clock. A pending one is not tried before, an unknown one is looked at again after. */
  readonly delayMs: number | null;
  /** Whether the call is proven not to have counted, so that it uses up no attempt. */
  readonly uncounted: boolean;
}

/** How long a class waits for evidence after a doubtful call, before it acts. */
export const DOUBT_WINDOW_MS: Record<MessageClass, number> = { life: 10_000, ops: 60_000, bulk: 60_000 };

/** After so many calls, the first one included, a delivery is given up. */
export const MAX_ATTEMPTS: Record<MessageClass, number> = { life: 6, ops: 5, bulk: 5 };

/** Up to so many calls a doubtful delivery is sent again: life until its attempts are used up, ops once, bulk never. */
const MAX_AFTER_DOUBT: Record<MessageClass, number> = { life: MAX_ATTEMPTS.life, ops: 2, bulk: 1 };

const BACKOFF_BASE_MS: Record<MessageClass, number> = { life: 1_000, ops: 2_000, bulk: 5_000 };
const BACKOFF_MAX_MS = 60_000;
/** The sender has stopped, so people who were being called wait for a human. Life goes by another sender at once, if there is one. */
const MISCONFIGURED_MS: Record<MessageClass, number> = { life: 1_000, ops: 30_000, bulk: 30_000 };

/** Exponential backoff with full jitter above one half. `random` is in [0, 1). */
export function backoffMs(messageClass: MessageClass, attempts: number, random: number): number {
  const ceiling = Math.min(BACKOFF_BASE_MS[messageClass] * 2 ** Math.max(0, attempts - 1), BACKOFF_MAX_MS);
  return Math.round(ceiling * (0.5 + random / 2));
}

/**
 * Makes of an outcome the state that the settle writes. `attempts` includes the call just made.
 * Exhausted retries end as `failed` with the provider's last code, but not for life, which is tried until it expires.
 */
export function settle(messageClass: MessageClass, outcome: Outcome, attempts: number, random: number): Settlement {
  const base = { providerId: null, units: 0, delayMs: null, uncounted: false };
  switch (outcome.kind) {
    case 'accepted':
      return { ...base, state: 'accepted', code: null, providerId: outcome.providerId, units: outcome.units };
    case 'retryable': {
      const again: Settlement = { ...base, state: 'pending', code: outcome.code, delayMs: backoffMs(messageClass, attempts, random) };
      if (attempts < MAX_ATTEMPTS[messageClass]) return again;
      // The call is proven not accepted, and life is not given up for a provider that is away for a minute. Its expiry ends it.
      return messageClass === 'life' ? { ...again, uncounted: true } : { ...base, state: 'failed', code: outcome.code };
    }
    case 'throttled':
      // The return of a whole slice is spread over a second, or it would hit the limit again at one instant.
      return { ...base, state: 'pending', code: outcome.code, delayMs: Math.round(outcome.retryAfterMs + random * 1_000), uncounted: true };
    case 'not_called':
      return { ...base, state: 'pending', code: outcome.code, delayMs: 0, uncounted: true };
    case 'misconfigured':
      return { ...base, state: 'pending', code: outcome.code, delayMs: MISCONFIGURED_MS[messageClass], uncounted: true };
    case 'rejected':
    case 'gone':
      return { ...base, state: 'failed', code: outcome.code };
    case 'unknown':
      return { ...base, state: 'unknown', code: outcome.code, delayMs: DOUBT_WINDOW_MS[messageClass] };
  }
}

/** Decides, when the window has passed without evidence, whether to send again or to leave the delivery listed as in doubt. */
export function afterDoubt(messageClass: MessageClass, attempts: number): 'pending' | 'unresolved' | 'failed' {
  if (messageClass === 'bulk') return 'unresolved';
  if (attempts < MAX_AFTER_DOUBT[messageClass]) return 'pending';
  // No life delivery ever ends as `unresolved` (an invariant). One that is given up is a task for a human.
  return messageClass === 'life' ? 'failed' : 'unresolved';
}

export const maxAfterDoubt = (messageClass: MessageClass): number => MAX_AFTER_DOUBT[messageClass];

/** States only ever move upwards, so receipts of one delivery may come in any order and end in the same state. */
export const RANK: Record<DeliveryState, number> = {
  pending: 0,
  attempting: 0,
  unknown: 1,
  unresolved: 1,
  accepted: 2,
  cancelled: 2,
  expired: 2,
  failed: 3,
  delivered: 4,
};

/** States of a delivery in which the person may have the message. */
export const MAY_HAVE_IT = ['attempting', 'accepted', 'unknown', 'unresolved', 'delivered'] as const satisfies readonly DeliveryState[];
