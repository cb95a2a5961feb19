import { COMPLAINT, NONE, type Report, UNREAD } from './report.ts';

/**
 * Kinds of feedback (RFC 5965 section 7.3, RFC 6430, RFC 6591). Those that say "I do not want this" end the mails; the others are about
 * signatures or say that a mail was wanted.
 */
const KINDS: Readonly<Record<string, Report>> = {
  abuse: COMPLAINT, // the button "this is spam"
  fraud: COMPLAINT, // the button "this is phishing"
  virus: COMPLAINT,
  'opt-out': COMPLAINT, // dropped from the registry, still sent
  'opt-out-list': COMPLAINT,
  miscategorized: COMPLAINT, // some providers' word for the first
  'not-spam': NONE,
  'auth-failure': NONE,
};

/** @param text of a part of the type message/feedback-report */
export function readFeedback(text: string): Report {
  const kind = /^feedback-type[ \t]*:[ \t]*([\w-]+)/im.exec(text)?.[1]?.toLowerCase();
  return (kind !== undefined && Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined) ?? UNREAD;
}
