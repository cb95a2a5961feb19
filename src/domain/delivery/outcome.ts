/**
 * What a channel adapter may report about one call. Adapters translate, the core decides; provider answers never
 * throw. Foreign codes are kept raw in `code`.
 *
 * Proof of *not accepted* is: refused connection, request not fully written, HTTP 429 or another 4xx, SMTP 4yz/5yz
 * before the final dot. An HTTP 5xx or a cut after the body proves nothing and is `unknown`.
 */
export type Outcome =
  /** `units`: billing units (SMS: segments). */
  | { readonly kind: 'accepted'; readonly providerId: string | null; readonly units: number }
  /** Proven not accepted, worth another try; counted as an attempt. */
  | { readonly kind: 'retryable'; readonly code: string }
  /** Too fast: proven not accepted, not counted; the sender's pace is lowered. */
  | { readonly kind: 'throttled'; readonly code: string; readonly retryAfterMs: number }
  /** Final for this delivery. `addressInvalid`: the address itself can never work on this channel. */
  | { readonly kind: 'rejected'; readonly code: string; readonly addressInvalid?: boolean }
  /** The person or mailbox or subscription is gone from this sender: suppress it. */
  | { readonly kind: 'gone'; readonly code: string; readonly reason: 'opted_out' | 'no_mailbox' | 'subscription_gone' }
  /** The request was written and no proof either way came back. */
  | { readonly kind: 'unknown'; readonly code: string }
  /** Taken back before it began: nothing has left us, and nobody is to blame. Not counted. */
  | { readonly kind: 'not_called'; readonly code: 'not_called' }
  /** Our own credentials or sender are wrong: the sender stops, a human is told, nobody is suppressed. */
  | { readonly kind: 'misconfigured'; readonly code: string; readonly detail: string };

export type OutcomeKind = Outcome['kind'];
