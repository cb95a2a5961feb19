import type { Outcome } from '#domain/delivery/outcome.ts';

type Verdict =
  | { readonly kind: 'rejected'; readonly addressInvalid?: true }
  | { readonly kind: 'gone'; readonly reason: 'opted_out' }
  | { readonly kind: 'throttled'; readonly afterMs?: number }
  | { readonly kind: 'misconfigured' };

const rejected: Verdict = { kind: 'rejected' };
const addressInvalid: Verdict = { kind: 'rejected', addressInvalid: true };
const optedOut: Verdict = { kind: 'gone', reason: 'opted_out' };
const misconfigured: Verdict = { kind: 'misconfigured' };
const throttled: Verdict = { kind: 'throttled' };

/**
 * Twilio error codes (https://www.twilio.com/docs/api/errors). Twilio keeps splitting codes and advises against hard
 * logic on them, so whatever is not listed is decided by the HTTP status alone and the raw code is kept.
 */
const CODES: Readonly<Record<string, Verdict>> = {
  '20003': misconfigured, // authentication failed: wrong SID or token, or the account is closed
  '20005': misconfigured, // account not active
  '20008': misconfigured, // test credentials used for a live resource
  '20404': misconfigured, // no such account under this URL
  '20429': throttled, // too many requests at once
  '14107': throttled, // message rate limit of the account
  '63038': { kind: 'throttled', afterMs: 3_600_000 }, // daily limit of the account
  '21211': addressInvalid, // invalid To number
  '21212': misconfigured, // invalid From number
  '21214': addressInvalid, // To number cannot be reached
  '21217': addressInvalid, // number looks invalid
  '21265': addressInvalid, // To is a short code
  '21408': rejected, // this account may not send to that country: about the region, the sender stays good
  '21601': misconfigured, // From is not SMS-capable
  '21602': rejected, // body is required
  '21603': misconfigured, // From is required
  '21604': addressInvalid, // To is required
  '21606': misconfigured, // From is not a number of this account
  '21607': misconfigured, // a trial account must use its own From
  '21608': rejected, // a trial account only reaches verified numbers
  '21609': misconfigured, // StatusCallback is not a valid URL: our public address is wrong
  '21610': optedOut, // the person sent STOP to this sender
  '21611': { kind: 'throttled', afterMs: 60_000 }, // this number's queue is full (10 hours of messages)
  '21612': rejected, // no route from this From to this To
  '21614': addressInvalid, // not a mobile number
  '21617': rejected, // longer than 1600 characters
  '21635': addressInvalid, // landline in a country without SMS to landlines
  '21656': rejected, // content variables are wrong
  '21660': misconfigured, // From belongs to another account
  '21661': misconfigured, // From is not an SMS sender
  '21701': misconfigured, // no such Messaging Service
  '21703': misconfigured, // the Messaging Service has no numbers
  '21704': misconfigured, // the Messaging Service has no short code
  '21705': misconfigured, // invalid Messaging Service SID
  '30001': { kind: 'throttled', afterMs: 60_000 }, // queue overflow of the Messaging Service
  '30002': misconfigured, // account suspended
  '30003': rejected, // handset off or out of coverage (status callback)
  '30004': rejected, // blocked by the carrier or the person (status callback)
  '30005': rejected, // unknown or inactive number; may pass, so one time does not condemn the address (status callback)
  '30006': addressInvalid, // landline or unreachable carrier: "do not retry the same SMS" (status callback)
  '30007': rejected, // filtered as spam by the carrier (status callback)
  '30008': rejected, // unknown carrier error (status callback)
  '30034': misconfigured, // US number without A2P 10DLC registration
  '60410': misconfigured, // sender blocked for fraud
};

/** HTTP statuses, for where the code says nothing. A 4xx proves that the message was not accepted. */
const STATUSES: Readonly<Record<number, Verdict>> = {
  401: misconfigured, // credentials
  403: misconfigured, // credentials are right but may not do this
  404: misconfigured, // POST to a list resource: only our own account or URL can be missing
  405: misconfigured, // TWILIO_API_URL points at something else
  429: throttled,
};

interface Refusal {
  readonly status: number;
  readonly code: string;
  /** Milliseconds from Retry-After, when the answer had one. */
  readonly retryAfterMs: number | undefined;
}

/** What a refusal means. @param defaultRetryMs for a throttle that names no time anywhere */
export function refusalOutcome({ status, code, retryAfterMs }: Refusal, defaultRetryMs: number): Outcome {
  // After a 5xx nobody knows whether the message was accepted.
  if (status >= 500) return { kind: 'unknown', code };
  // The server did not get the whole request in its own time (RFC 9110 section 15.5.9).
  if (status === 408) return { kind: 'retryable', code };
  // A redirect is no acceptance either, but it means that the configured address is not Twilio's.
  if (status < 400) return { kind: 'misconfigured', code, detail: 'The SMS provider answered with a redirect: check TWILIO_API_URL.' };
  const verdict = CODES[code] ?? STATUSES[status];
  if (!verdict) return { kind: 'rejected', code };
  if (verdict.kind === 'throttled') return { kind: 'throttled', code, retryAfterMs: retryAfterMs ?? verdict.afterMs ?? defaultRetryMs };
  if (verdict.kind === 'misconfigured') return { kind: 'misconfigured', code, detail: `The SMS provider refuses this account or sender (code ${code}).` };
  return { ...verdict, code };
}

/** What a code in a status callback says about the person's number. */
export function addressVerdict(code: string): 'invalid' | 'opted_out' | null {
  const verdict = CODES[code];
  if (verdict?.kind === 'gone') return 'opted_out';
  return verdict?.kind === 'rejected' && verdict.addressInvalid ? 'invalid' : null;
}
