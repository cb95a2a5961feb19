/**
 * What a channel adapter may report about one call. Adapters translate and the core decides; a provider's answer never
 * throws. Foreign codes are kept as they came in `code`.
 *
 * These prove that a call was not accepted: a refused connection, a request that was not fully written, HTTP 429 or another 4xx,
 * SMTP 4yz or 5yz before the final dot. An HTTP 5xx or a cut after the body proves nothing and is `unknown`.
 */
export type Outcome =
  /** The call was accepted. `units` are billing units (of SMS: segments). */
  | { readonly kind: 'accepted'; readonly providerId: string | null; readonly units: number }
  /** The call is proven not accepted and worth another try. It counts as an attempt. */
  | { readonly kind: 'retryable'; readonly code: string }
  /** We were too fast: the call is proven not accepted and does not count, and the sender's pace is lowered. */
  | { readonly kind: 'throttled'; readonly code: string; readonly retryAfterMs: number }
  /** The refusal is final for this delivery. `addressInvalid`: the address itself can never work on this channel. */
  | { readonly kind: 'rejected'; readonly code: string; readonly addressInvalid?: boolean }
  /** The person, mailbox or subscription is gone from this sender, so the address is to be suppressed. */
  | { readonly kind: 'gone'; readonly code: string; readonly reason: 'opted_out' | 'no_mailbox' | 'subscription_gone' }
  /** The request was written and no proof either way came back. */
  | { readonly kind: 'unknown'; readonly code: string }
  /** The call was taken back before it began. Nothing has left us, nobody is to blame, and it does not count. */
  | { readonly kind: 'not_called'; readonly code: 'not_called' }
  /** Our own credentials or sender are wrong, so the sender stops and a human is told; nobody is suppressed. */
  | { readonly kind: 'misconfigured'; readonly code: string; readonly detail: string };

export type OutcomeKind = Outcome['kind'];
