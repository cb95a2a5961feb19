/** One bounce: what it is, the mail, and what is to be read of it. */
export interface BounceSample {
  readonly name: string;
  readonly mail: string;
  /** Kind and code; `gone`: the mailbox is; `passing`: given up for a reason that passes. */
  readonly expects: string;
}

export const REF = `0a${'0123456789abcdef'.repeat(2)}`;

const BEGIN = [`To: <bounce+${REF}@bounces.example.org>`, 'Date: Tue, 1 Dec 2026 08:00:00 +0000'];

/** A mail of one part. */
export const plain = (from: string, subject: string, lines: readonly string[], headers: readonly string[] = []): string =>
  [`From: ${from}`, ...BEGIN, `Subject: ${subject}`, ...headers, '', ...lines, ''].join('\r\n');

/** Our own message, as it comes back. */
export const OURS = [
  `Message-ID: <${REF}@bounces.example.org>`,
  'From: Alerts <alerts@example.org>',
  'To: <ana@example.net>',
  'Subject: Flood',
  'Auto-Submitted: auto-generated',
  '',
  'User unknown: please tell us who is at the bridge. It could not be delivered by road.',
];

export interface ReportPart {
  readonly type: string;
  readonly lines: readonly string[];
}

/** multipart/report (RFC 6522). */
export function multipart(from: string, subject: string, reportType: string, parts: readonly ReportPart[], headers: readonly string[] = []): string {
  const body = parts.flatMap(({ type, lines }) => ['--=_b', `Content-Type: ${type}`, '', ...lines]);
  return plain(
    from,
    subject,
    [...body, '--=_b--'],
    [...headers, 'MIME-Version: 1.0', `Content-Type: multipart/report; report-type=${reportType}; boundary="=_b"`],
  );
}

export interface DsnInput {
  readonly from?: string;
  readonly subject?: string;
  readonly words?: readonly string[];
  readonly mta?: readonly string[];
  readonly headers?: readonly string[];
  readonly type?: string;
}

/** A delivery status notification (RFC 3464) with one block of fields for each recipient. */
export function dsn(recipients: readonly (readonly string[])[], input: DsnInput = {}): string {
  const blocks = recipients.flatMap((fields) => ['', 'Final-Recipient: rfc822; ana@example.net', ...fields]);
  const parts = [
    { type: 'text/plain; charset=us-ascii', lines: input.words ?? ['Your message did not arrive. Status: 9.9.9, Action: nonsense'] },
    { type: input.type ?? 'message/delivery-status', lines: [...(input.mta ?? ['Reporting-MTA: dns; relay.example.org']), ...blocks, ''] },
    { type: 'message/rfc822', lines: OURS },
  ];
  return multipart(
    input.from ?? 'MAILER-DAEMON@relay.example.org (Mail Delivery System)',
    input.subject ?? 'Undelivered Mail Returned to Sender',
    'delivery-status',
    parts,
    input.headers ?? ['Auto-Submitted: auto-replied'],
  );
}
