import { type ParsedMail, simpleParser } from 'mailparser';
import type { Evidence } from '#domain/delivery/evidence.ts';
import { isMailboxGone } from './codes.ts';

/** What a delivery status notification says about our one recipient (RFC 3464 section 2.3). */
export interface Bounce {
  readonly action: 'failed' | 'delayed';
  /** Whether the relay gave up with a 5.y.z, so that the mail will never arrive. */
  readonly permanent: boolean;
  /** Whether the mailbox or its domain does not exist, so that the address is to be suppressed. */
  readonly mailboxGone: boolean;
  /** Enhanced status, such as 5.1.1. */
  readonly status: string;
  /** The remote server's words, at most 500 characters. They may contain the address, so they are not for logs. */
  readonly diagnostic: string;
}

/** `ignored`: a report of success or of relaying. `unreadable`: no DSN, such as an out-of-office reply. */
export type Report = Bounce | 'ignored' | 'unreadable';

/** What a bounce proves. Null for a delay, which changes nothing, since the relay is still trying. */
export const evidenceOf = ({ permanent, mailboxGone, status }: Bounce): Evidence | null =>
  permanent ? { state: 'failed', providerId: null, code: status, effect: mailboxGone ? 'no_mailbox' : undefined } : null;

/** Reads blocks that look like headers: the first is about the message, each further one about a recipient. Lines may be folded. */
const blocks = (text: string): Map<string, string>[] =>
  text
    .replace(/\r\n?/g, '\n')
    .replace(/\n[ \t]+/g, ' ')
    .split(/\n{2,}/)
    .map((block) => new Map([...block.matchAll(/^([\w-]+):[ \t]*(.*)$/gm)].map(([, key = '', value = '']) => [key.toLowerCase(), value.trim()])))
    .filter((fields) => fields.size > 0);

const statusPart = (mail: ParsedMail): string | undefined =>
  mail.attachments.find((part) => /^message\/(global-)?delivery-status$/i.test(part.contentType))?.content.toString('utf8');

export async function readReport(raw: Buffer): Promise<Report> {
  const mail = await simpleParser(raw, { keepDeliveryStatus: true, skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true, skipTextLinks: true });
  const text = statusPart(mail);
  const fields = text === undefined ? undefined : blocks(text).find((block) => block.has('action'));
  const action = fields?.get('action')?.toLowerCase();
  const status = /\b[245]\.\d{1,3}\.\d{1,3}\b/.exec(fields?.get('status') ?? '')?.[0];
  if (!fields || !action || !status) return 'unreadable';
  if (action !== 'failed' && action !== 'delayed') return 'ignored';
  const permanent = action === 'failed' && status.startsWith('5');
  const diagnostic = (fields.get('diagnostic-code') ?? '').replace(/^smtp;\s*/i, '').slice(0, 500);
  // Some relays write a bare 5.0.0 and keep the exact code in the diagnostic.
  const exact = /\b[45]\.\d{1,3}\.\d{1,3}\b/.exec(diagnostic)?.[0];
  return { action, permanent, mailboxGone: permanent && (isMailboxGone(status) || (exact !== undefined && isMailboxGone(exact))), status, diagnostic };
}
