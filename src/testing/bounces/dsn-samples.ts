import { type BounceSample, dsn, multipart, OURS, plain, REF } from './sample.ts';

const failed = (status: string, diagnostic?: string): string[] => [
  'Action: failed',
  `Status: ${status}`,
  ...(diagnostic === undefined ? [] : [`Diagnostic-Code: ${diagnostic}`]),
];

/** Delivery status notifications: the action decides the state, status and words whether the mailbox is gone. */
const STATUSES: readonly BounceSample[] = [
  {
    name: 'no such mailbox',
    mail: dsn([failed('5.1.1', 'smtp; 550 5.1.1 <ana@example.net>: Recipient address rejected: User unknown in virtual mailbox table')]),
    expects: 'failed 5.1.1 gone',
  },
  {
    name: 'no such mailbox, in folded words',
    mail: dsn([['Action: failed', 'Status: 5.1.1', 'Diagnostic-Code: smtp; 550 5.1.1 <ana@example.net>:', '    User unknown']]),
    expects: 'failed 5.1.1 gone',
  },
  { name: 'no such domain', mail: dsn([failed('5.1.2', 'dns; example.net: no mail server')]), expects: 'failed 5.1.2 gone' },
  { name: 'no such address form', mail: dsn([failed('5.1.3')]), expects: 'failed 5.1.3 gone' },
  { name: 'moved', mail: dsn([failed('5.1.6')]), expects: 'failed 5.1.6 gone' },
  {
    name: 'a domain that takes no mail',
    mail: dsn([failed('5.1.10', 'smtp; 556 5.1.10 Recipient address has null MX')]),
    expects: 'failed 5.1.10 gone',
  },
  {
    name: 'disabled for good',
    mail: dsn([failed('5.2.1', 'smtp; 550-5.2.1 The email account that you tried to reach is disabled.')]),
    expects: 'failed 5.2.1 gone',
  },
  {
    name: 'only receiving too fast',
    mail: dsn([failed('5.2.1', 'smtp; 550-5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages.')]),
    expects: 'failed 5.2.1',
  },
  { name: 'full', mail: dsn([failed('5.2.2 (full)', 'smtp; 552 5.2.2 Mailbox full')]), expects: 'failed 5.2.2' },
  { name: 'too large', mail: dsn([failed('5.3.4', 'smtp; 552 5.3.4 Message size exceeds fixed limit')]), expects: 'failed 5.3.4' },
  { name: 'our sender’s domain', mail: dsn([failed('5.1.8', 'smtp; 550 5.1.8 Sender address rejected: Domain not found')]), expects: 'failed 5.1.8' },
  { name: 'policy', mail: dsn([failed('5.7.1', 'smtp; 550 5.7.1 Message rejected as spam. User unknown to be wanted')]), expects: 'failed 5.7.1' },
  {
    name: 'authentication',
    mail: dsn([failed('5.7.26', "smtp; 550-5.7.26 Unauthenticated email from example.org is not accepted due to domain's DMARC policy")]),
    expects: 'failed 5.7.26',
  },
  {
    name: 'a relay that could not find the domain',
    mail: dsn([failed('5.4.4', 'X-Postfix; Host or domain name not found. Name service error for name=example.net type=AAAA: Host not found')]),
    expects: 'failed 5.4.4',
  },
  { name: 'a loop', mail: dsn([failed('5.4.6', 'smtp; 554 5.4.6 Too many hops')]), expects: 'failed 5.4.6' },
  {
    name: 'Exchange: domain gone, said as a routing error',
    mail: dsn([failed('5.4.310', 'smtp; 550 5.4.310 DNS domain example.net does not exist')]),
    expects: 'failed 5.4.310',
  },
];

/** Given up after tries: `Action: failed` with a status of class 4. */
const EXPIRED: readonly BounceSample[] = [
  {
    name: 'time-outs for five days',
    mail: dsn([failed('4.4.1', 'X-Postfix; connect to mx.example.net[192.0.2.1]:25: Connection timed out')]),
    expects: 'failed 4.4.1 passing',
  },
  { name: 'message expired', mail: dsn([failed('4.4.7', 'smtp; 451 4.4.7 Message expired')]), expects: 'failed 4.4.7 passing' },
  {
    name: 'expired, Exchange',
    mail: dsn([failed('4.4.7', 'smtp;550 4.4.7 QUEUE.Expired; message expired')], { from: 'postmaster@example.net', subject: 'Undeliverable: Flood' }),
    expects: 'failed 4.4.7 passing',
  },
  {
    name: 'mailbox full until it expired',
    mail: dsn([failed('4.2.2', 'smtp; 452 4.2.2 The email account that you tried to reach is over quota')]),
    expects: 'failed 4.2.2 passing',
  },
  {
    name: 'greylisted until it expired',
    mail: dsn([failed('4.7.1', 'smtp; 451 4.7.1 Greylisting in action, please come back later')]),
    expects: 'failed 4.7.1 passing',
  },
  {
    name: 'no name server until it expired',
    mail: dsn([failed('4.4.3', 'X-Postfix; Host or domain name not found. Name service error for name=example.net type=MX: Host not found, try again')]),
    expects: 'failed 4.4.3 passing',
  },
  {
    name: 'odd words of a passing error are not believed',
    mail: dsn([failed('4.4.7', 'smtp; 451 5.1.1 odd')]),
    expects: 'failed 4.4.7 passing',
  },
  {
    name: 'a passing status beside "user unknown"',
    mail: dsn([failed('4.0.0', 'smtp; 450 User unknown in local recipient table')]),
    expects: 'failed 4.0.0 passing',
  },
  {
    name: 'sendmail gave up',
    mail: dsn([[...failed('4.4.7'), 'Last-Attempt-Date: Tue, 1 Dec 2026 08:00:00 GMT']], { subject: 'Returned mail: Cannot send message for 5 days' }),
    expects: 'failed 4.4.7 passing',
  },
];

/** A status that says nothing: what was heard decides. */
const VAGUE: readonly BounceSample[] = [
  { name: 'exact code in the words alone', mail: dsn([failed('5.0.0', 'smtp; 550 5.1.1 unknown')]), expects: 'failed 5.0.0 gone' },
  { name: 'words alone', mail: dsn([failed('5.0.0', 'smtp; 550 No such user here')]), expects: 'failed 5.0.0 gone' },
  { name: 'Exim', mail: dsn([failed('5.0.0', 'smtp; 550 Unrouteable address')]), expects: 'failed 5.0.0 gone' },
  {
    name: 'Yahoo',
    mail: dsn([failed('5.0.0', "smtp; 554 delivery error: dd This user doesn't have a yahoo.com account (ana@yahoo.com) [0]")]),
    expects: 'failed 5.0.0 gone',
  },
  {
    name: 'Microsoft 365, not in the directory',
    mail: dsn([failed('5.4.1', 'smtp;550 5.4.1 Recipient address rejected: Access denied. AS(201806281)')]),
    expects: 'failed 5.4.1 gone',
  },
  { name: 'no answer from the host, as the RFC has it', mail: dsn([failed('5.4.1', 'smtp; connection refused')]), expects: 'failed 5.4.1' },
  {
    name: 'Outlook.com, which may mean anything',
    mail: dsn([failed('5.5.0', 'smtp; 550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)')]),
    expects: 'failed 5.5.0',
  },
  {
    name: 'spam, although it speaks of a user',
    mail: dsn([failed('5.0.0', 'smtp; 550 Message looks like spam: user unknown to us')]),
    expects: 'failed 5.0.0',
  },
  { name: 'other exact code in the words', mail: dsn([failed('5.0.0', 'smtp; 550 5.7.1 Relaying denied. No such user')]), expects: 'failed 5.0.0' },
  { name: 'only refused', mail: dsn([failed('5.0.0')]), expects: 'failed 5.0.0' },
  { name: 'German', mail: dsn([failed('5.0.0', 'smtp; 550 Postfach existiert nicht')]), expects: 'failed 5.0.0 gone' },
  { name: 'a system’s own words', mail: dsn([failed('5.3.0', 'x-unix; unknown user: "ana"')]), expects: 'failed 5.3.0 gone' },
];

const FORMS: readonly BounceSample[] = [
  { name: 'small letters and capitals', mail: dsn([['action: FAILED', 'STATUS: 5.1.1']]), expects: 'failed 5.1.1 gone' },
  {
    name: 'an action with a comment',
    mail: dsn([['Action: failed (gave up)', 'Status: 5.1.1 (bad mailbox)']]),
    expects: 'failed 5.1.1 gone',
  },
  { name: 'no status', mail: dsn([['Action: failed', 'Diagnostic-Code: smtp; 550 5.1.1 No']]), expects: 'failed 5.1.1 gone' },
  { name: 'no status, a bare reply', mail: dsn([['Action: failed', 'Diagnostic-Code: smtp; 554 Refused']]), expects: 'failed 554' },
  { name: 'a status that is none', mail: dsn([['Action: failed', 'Status: soon']]), expects: 'failed' },
  { name: 'no action', mail: dsn([['Status: 5.1.1']]), expects: 'failed 5.1.1 gone' },
  { name: 'an action of another world', mail: dsn([['Action: pondered']]), expects: 'unread' },
  {
    name: 'all in one block',
    mail: dsn([], { mta: ['Reporting-MTA: dns; relay', 'Final-Recipient: rfc822; ana@example.net', 'Action: failed', 'Status: 5.1.1'] }),
    expects: 'failed 5.1.1 gone',
  },
  {
    name: 'internationalised (RFC 6533)',
    mail: dsn([failed('5.1.1')], { type: 'message/global-delivery-status' }),
    expects: 'failed 5.1.1 gone',
  },
  {
    name: 'in base64',
    mail: multipart('MAILER-DAEMON@relay.example.org', 'Undelivered', 'delivery-status', [
      {
        type: 'message/delivery-status\r\nContent-Transfer-Encoding: base64',
        lines: [Buffer.from('Reporting-MTA: dns; a\n\nFinal-Recipient: rfc822; b@c\nAction: failed\nStatus: 5.1.1\n').toString('base64')],
      },
    ]),
    expects: 'failed 5.1.1 gone',
  },
  {
    name: 'made one text by a gateway',
    mail: plain('postmaster@gate.example', 'Delivery report', [
      'Something went wrong.',
      '',
      'Reporting-MTA: dns; gate.example',
      '',
      'Final-Recipient: rfc822; ana@example.net',
      'Action: failed',
      'Status: 4.4.7',
    ]),
    expects: 'failed 4.4.7 passing',
  },
  {
    name: 'of a mail in which nobody else’s words count',
    mail: dsn([failed('5.2.2')], { words: ['Out of office. User unknown 5.1.1'] }),
    expects: 'failed 5.2.2',
  },
  {
    name: 'Postfix: still trying',
    mail: dsn([['Action: delayed', 'Status: 4.4.1', 'Will-Retry-Until: Sun, 6 Dec 2026 08:00:00 +0000']], { subject: 'Delayed Mail (still being retried)' }),
    expects: 'delayed 4.4.1',
  },
  { name: 'delayed without a status', mail: dsn([['Action: delayed']]), expects: 'delayed' },
  { name: 'delivered', mail: dsn([['Action: delivered', 'Status: 2.0.0']]), expects: 'none' },
  { name: 'relayed', mail: dsn([['Action: relayed', 'Status: 2.0.0']]), expects: 'none' },
  { name: 'expanded to a list', mail: dsn([['Action: expanded', 'Status: 2.0.0']]), expects: 'none' },
  { name: 'an alias of two, one of which has it', mail: dsn([failed('5.1.1'), ['Action: delivered', 'Status: 2.0.0']]), expects: 'none' },
  { name: 'an alias of two, one of which is tried', mail: dsn([failed('5.1.1'), ['Action: delayed', 'Status: 4.4.1']]), expects: 'delayed 4.4.1' },
  { name: 'an alias of two that both failed', mail: dsn([failed('5.2.2'), failed('5.1.1')]), expects: 'failed 5.2.2' },
  {
    name: 'read, says the person’s programme (RFC 8098)',
    mail: multipart('ana@example.net', 'Read: Flood', 'disposition-notification', [
      { type: 'text/plain', lines: ['It was displayed.'] },
      {
        type: 'message/disposition-notification',
        lines: ['Final-Recipient: rfc822; ana@example.net', 'Disposition: manual-action/MDN-sent-manually; displayed'],
      },
    ]),
    expects: 'none',
  },
];

/** Feedback reports (RFC 5965). */
export const feedback = (kind: string, fields: readonly string[] = [], returned: readonly string[] = OURS): string =>
  multipart('fbl@provider.example', 'complaint about message', 'feedback-report', [
    { type: 'text/plain', lines: ['This is an email abuse report for an email message.'] },
    { type: 'message/feedback-report', lines: [`Feedback-Type: ${kind}`, 'User-Agent: ProviderFBL/1.0', 'Version: 1', ...fields, ''] },
    { type: 'message/rfc822', lines: returned },
  ]);

const COMPLAINTS: readonly BounceSample[] = [
  {
    name: 'abuse',
    mail: feedback('abuse', [`Original-Mail-From: <bounce+${REF}@bounces.example.org>`, 'Original-Rcpt-To: <ana@example.net>']),
    expects: 'complaint',
  },
  { name: 'fraud', mail: feedback('Fraud'), expects: 'complaint' },
  { name: 'virus', mail: feedback('virus'), expects: 'complaint' },
  { name: 'opt-out', mail: feedback('opt-out'), expects: 'complaint' },
  { name: 'not spam after all', mail: feedback('not-spam'), expects: 'none' },
  { name: 'a failed signature (RFC 6591)', mail: feedback('auth-failure'), expects: 'none' },
  { name: 'another feedback', mail: feedback('other'), expects: 'unread' },
  { name: 'a kind of its own', mail: feedback('constructor'), expects: 'unread' },
];

export const DSN_SAMPLES: Readonly<Record<string, readonly BounceSample[]>> = {
  'delivery status': STATUSES,
  'given up after tries': EXPIRED,
  'a status that says nothing': VAGUE,
  'forms of a report': FORMS,
  feedback: COMPLAINTS,
};
