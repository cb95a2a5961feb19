import type { Returned } from '#domain/delivery/evidence.ts';

/** What a mail that came to a return path says of the one delivery that had it. */
export interface Report {
  /**
   * `failed`: a mail server gave up. `delayed`: it goes on trying. `complaint`: the person called the message unwanted.
   * `none`: it arrived, or somebody's programme answers for them. `unread`: nobody here can tell what it says.
   */
  readonly kind: 'failed' | 'delayed' | 'complaint' | 'none' | 'unread';
  /** Given up, and not for a reason that passes. */
  readonly permanent: boolean;
  /** The mailbox or its domain does not exist: suppress the address. */
  readonly mailboxGone: boolean;
  /** Enhanced status such as 5.1.1, else a reply code such as 550; null where none is said. */
  readonly code: string | null;
}

/** What a report proves. Undefined where nothing changes: the relay goes on trying, or the mail arrived. */
export function returnedOf({ kind, mailboxGone, code }: Pick<Report, 'kind' | 'mailboxGone' | 'code'>): Returned | undefined {
  if (kind === 'complaint' || kind === 'unread') return { kind };
  if (kind !== 'failed') return undefined;
  return { kind: 'evidence', evidence: { state: 'failed', providerId: null, code: code ?? 'bounced', effect: mailboxGone ? 'no_mailbox' : undefined } };
}

export const NONE: Report = { kind: 'none', permanent: false, mailboxGone: false, code: null };
export const UNREAD: Report = { kind: 'unread', permanent: false, mailboxGone: false, code: null };
export const COMPLAINT: Report = { kind: 'complaint', permanent: false, mailboxGone: false, code: null };
