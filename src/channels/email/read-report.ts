import { type ParsedMail, simpleParser } from 'mailparser';
import { readFeedback } from './complaint.ts';
import { readDeliveryStatus } from './dsn.ts';
import { readPlainBounce } from './plain-bounce.ts';
import { NONE, type Report, UNREAD } from './report.ts';

const OPTIONS = { keepDeliveryStatus: true, skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true, skipTextLinks: true } as const;

const partOf = (mail: ParsedMail, type: RegExp): string | undefined => mail.attachments.find((part) => type.test(part.contentType))?.content.toString('utf8');

const headersOf = (mail: ParsedMail): Map<string, string> => {
  const headers = new Map<string, string>();
  for (const { key, line } of mail.headerLines) if (!headers.has(key)) headers.set(key, line.slice(line.indexOf(':') + 1).trim());
  return headers;
};

/** What is looked at of a page; the reason stands at its beginning. */
const MOST_HTML = 60_000;

/** Words of a page, roughly: enough to find a sentence in it. */
function wordsOf(html: string): string {
  const [first = '', ...styled] = html.slice(0, MOST_HTML).split(/<(?:style|script)\b/i);
  const shown = styled.map((part) =>
    part
      .split(/<\/(?:style|script)>/i)
      .slice(1)
      .join(''),
  );
  return [first, ...shown]
    .join('')
    .replace(/<(?:br|\/p|\/div|\/tr|\/h\d)\b[^<>]*>/gi, '\n')
    .replace(/<[^<>]*>/g, '')
    .replace(/&nbsp;/gi, ' ')
    .replace(/&#39;|&apos;|&rsquo;/gi, "'")
    .replace(/&lt;/gi, '<')
    .replace(/&gt;/gi, '>')
    .replace(/&amp;/gi, '&');
}

export interface ReadReport {
  readonly report: Report;
  /** All that came back of the message in a complaint, to look for its marks; else empty. */
  readonly returned: string;
}

function reportOf(mail: ParsedMail): Report {
  const feedback = partOf(mail, /^message\/feedback-report$/i);
  if (feedback !== undefined) return readFeedback(feedback);
  const status = partOf(mail, /^message\/(global-)?delivery-status$/i);
  const report = status === undefined ? undefined : readDeliveryStatus(status);
  if (report) return report;
  if (partOf(mail, /^message\/(global-)?disposition-notification$/i) !== undefined) return NONE;
  const words = mail.text?.trim() ? mail.text : wordsOf(mail.html || '');
  const text = words.replace(/\r\n?/g, '\n').replaceAll('’', "'");
  return readPlainBounce({ headers: headersOf(mail), subject: mail.subject ?? '', from: mail.from?.value[0]?.address ?? '', text });
}

/**
 * Reads a mail to a return path: a feedback report (RFC 5965), a delivery status (RFC 3464, RFC 6533), a receipt of reading (RFC 8098), or
 * words. A mail that is none is unread, never an error: its sender would bring it again and again.
 */
export async function readReport(raw: Buffer): Promise<ReadReport> {
  const mail = await simpleParser(raw, OPTIONS).catch(() => undefined);
  if (!mail) return { report: UNREAD, returned: '' };
  const report = reportOf(mail);
  if (report.kind !== 'complaint') return { report, returned: '' };
  return { report, returned: [raw, ...mail.attachments.map(({ content }) => content)].map((part) => part.toString('latin1')).join('\n') };
}
