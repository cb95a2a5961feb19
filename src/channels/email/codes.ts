import type { Outcome } from '#domain/delivery/outcome.ts';

/** Where a transaction ended. `body`: DATA was allowed, but the final dot not yet handed over; `final`: the dot was. */
export type Stage = 'connect' | 'login' | 'sender' | 'recipient' | 'data' | 'body' | 'final';

type Verdict = 'retryable' | 'throttled' | 'rejected' | 'address' | 'gone' | 'misconfigured';

/** Enhanced status codes (RFC 3463, IANA registry). They are the more exact answer, so they are asked first. */
const ENHANCED: Readonly<Record<string, Verdict>> = {
  '4.2.1': 'retryable', // mailbox temporarily disabled
  '4.3.2': 'throttled', // system not accepting messages
  '4.4.5': 'throttled', // system congestion
  '4.7.0': 'throttled', // Gmail and others: rate by policy
  '4.7.28': 'throttled', // unusual rate (Gmail)
  '5.1.1': 'gone', // no such mailbox
  '5.1.2': 'address', // no such domain
  '5.1.3': 'address', // address syntax
  '5.1.6': 'gone', // mailbox has moved
  '5.1.7': 'misconfigured', // sender's address syntax
  '5.1.8': 'misconfigured', // sender's domain
  '5.1.10': 'address', // domain takes no mail (RFC 7505)
  '5.2.1': 'gone', // mailbox disabled
  '5.2.2': 'rejected', // mailbox full: the person still exists
  '5.3.4': 'rejected', // message too big
  '5.7.8': 'misconfigured', // credentials
  '5.7.9': 'misconfigured', // authentication mechanism too weak
  '5.7.20': 'misconfigured', // no passing DKIM signature
  '5.7.23': 'misconfigured', // SPF
  '5.7.25': 'misconfigured', // reverse DNS
  '5.7.26': 'misconfigured', // SPF and DKIM and DMARC
  '5.7.515': 'misconfigured', // Microsoft: bulk sender without authentication
};

/** Reply codes (RFC 5321 section 4.2.3), for where no enhanced code says more. */
const REPLIES: Readonly<Record<number, Verdict>> = {
  421: 'throttled', // closing the channel: too many connections or messages
  450: 'retryable', // mailbox busy, greylisting
  451: 'retryable', // local error
  452: 'retryable', // out of storage, too many recipients
  454: 'retryable', // temporary authentication failure
  530: 'misconfigured', // authentication required
  534: 'misconfigured', // mechanism too weak
  535: 'misconfigured', // wrong credentials
  538: 'misconfigured', // encryption required
  550: 'rejected', // mailbox unavailable: see `unknownMailbox`
  551: 'address', // user not local
  552: 'rejected', // storage exceeded
  553: 'address', // mailbox name not allowed
  554: 'rejected', // transaction failed
};

/** Most servers without enhanced codes say "no such user" by a bare 550 to RCPT. */
const unknownMailbox = (stage: Stage, reply: number): boolean => stage === 'recipient' && reply === 550;

function verdictOf(stage: Stage, reply: number, enhanced: string | undefined): Verdict {
  // What a relay says to our login or our own From is about us, never about the person.
  if (reply >= 500 && (stage === 'connect' || stage === 'login' || stage === 'sender')) return 'misconfigured';
  const exact = enhanced === undefined ? undefined : ENHANCED[enhanced];
  if (exact && enhanced?.[0] === String(reply)[0]) return exact;
  if (unknownMailbox(stage, reply) && enhanced === undefined) return 'gone';
  return REPLIES[reply] ?? (reply < 500 ? 'retryable' : 'rejected');
}

/**
 * What a refusal in words of the relay means. It holds after the final dot too: only by a 2yz does a relay take responsibility
 * (RFC 5321 section 4.2.5).
 */
export function replyOutcome(stage: Stage, reply: number, enhanced: string | undefined, retryAfterMs: number): Outcome {
  const code = enhanced ? `${reply} ${enhanced}` : String(reply);
  switch (verdictOf(stage, reply, enhanced)) {
    case 'gone':
      return { kind: 'gone', code, reason: 'no_mailbox' };
    case 'address':
      return { kind: 'rejected', code, addressInvalid: true };
    case 'rejected':
      return { kind: 'rejected', code };
    case 'throttled':
      return { kind: 'throttled', code, retryAfterMs };
    case 'misconfigured':
      return { kind: 'misconfigured', code, detail: `The mail relay refuses us while we ${DOING[stage]} (${code}).` };
    default:
      return { kind: 'retryable', code };
  }
}

const DOING: Readonly<Record<Stage, string>> = {
  connect: 'connect',
  login: 'sign in',
  sender: 'name the sender',
  recipient: 'name the recipient',
  data: 'announce the message',
  body: 'send the message',
  final: 'finish the message',
};

/** Whether a bounce's status says that the mailbox itself is gone for good. */
export const isMailboxGone = (status: string): boolean => ENHANCED[status] === 'gone' || ENHANCED[status] === 'address';
