import { afterEach, expect, test } from 'vitest';
import { createLog } from '#platform/log.ts';
import { type BounceIntakeOptions, startBounceIntake } from './bounce-intake.ts';
import type { Bounce } from './dsn.ts';
import { SmtpPool } from './pool.ts';

const REF = `0a${'0123456789abcdef'.repeat(2)}`;
const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function intake(change: Partial<BounceIntakeOptions> = {}) {
  const bounces: [string, Bounce][] = [];
  const started = await startBounceIntake({
    port: 0,
    host: '127.0.0.1',
    onBounce: async (ref, bounce) => void bounces.push([ref, bounce]),
    log: createLog('test', 'silent'),
    ...change,
  });
  closers.push(() => started.close());
  const deliver = async (message: string, to = `bounce+${REF}@bounces.example.org`) => {
    const connection = { host: '127.0.0.1', port: started.port, ignoreTLS: true };
    const pool = new SmtpPool({ connection, credentials: undefined, size: 1, deadlineMs: 5_000 });
    closers.push(() => pool.close());
    const result = await pool.send({ from: '', to, message });
    return typeof result === 'string' ? result : result.reply;
  };
  return { ...started, started, bounces, deliver };
}

/** As Postfix writes it. */
const dsn = (fields: string[], subject = 'Undelivered Mail Returned to Sender'): string =>
  [
    'From: MAILER-DAEMON@relay.example.org (Mail Delivery System)',
    `To: bounce+${REF}@bounces.example.org`,
    `Subject: ${subject}`,
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"',
    '',
    '--b1',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    'Your message could not be delivered. Status: 9.9.9, Action: nonsense',
    '--b1',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; relay.example.org',
    'X-Postfix-Queue-ID: 4XyZ9',
    '',
    'Final-Recipient: rfc822; ana@example.net',
    ...fields,
    '',
    '--b1',
    'Content-Type: text/rfc822-headers',
    '',
    'Subject: Flood',
    '--b1--',
    '',
  ].join('\r\n');

test.each([
  [
    'no mailbox',
    ['Action: failed', 'Status: 5.1.1', 'Diagnostic-Code: smtp; 550 5.1.1 <ana@example.net>:', '    User unknown'],
    { action: 'failed', permanent: true, mailboxGone: true, status: '5.1.1', diagnostic: '550 5.1.1 <ana@example.net>: User unknown' },
  ],
  ['mailbox full', ['Action: failed', 'Status: 5.2.2 (full)'], { action: 'failed', permanent: true, mailboxGone: false, status: '5.2.2', diagnostic: '' }],
  [
    'exact code only in the diagnostic',
    ['action: FAILED', 'status: 5.0.0', 'diagnostic-code: smtp; 550 5.1.1 unknown'],
    { action: 'failed', permanent: true, mailboxGone: true, status: '5.0.0' },
  ],
  [
    'gave up on a temporary error',
    ['Action: failed', 'Status: 4.4.7', 'Diagnostic-Code: smtp; 451 5.1.1 odd'],
    { action: 'failed', permanent: false, mailboxGone: false, status: '4.4.7' },
  ],
  ['still trying', ['Action: delayed', 'Status: 4.4.1'], { action: 'delayed', permanent: false, mailboxGone: false, status: '4.4.1' }],
])('%s', async (_name, fields, expected) => {
  const { bounces, deliver, counts } = await intake();
  expect(await deliver(dsn(fields))).toMatch(/^250/);
  expect(bounces).toEqual([[REF, expect.objectContaining(expected)]]);
  expect(counts).toEqual({ bounces: 1, ignored: 0, unreadable: 0, refused: 0 });
});

test('the same bounce twice is reported twice: whoever records it is idempotent', async () => {
  const { bounces, deliver } = await intake();
  const message = dsn(['Action: failed', 'Status: 5.1.1']);
  await deliver(message);
  await deliver(message, `BOUNCE+${REF.toUpperCase()}@bounces.example.org`);
  expect(bounces.map(([ref]) => ref)).toEqual([REF, REF]);
});

test('reports of success and ordinary mail change nothing', async () => {
  const { bounces, deliver, counts } = await intake();
  expect(await deliver(dsn(['Action: relayed', 'Status: 2.0.0']))).toMatch(/^250/);
  expect(await deliver('Subject: Out of office\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n')).toMatch(/^250/);
  expect(await deliver(dsn(['Action: failed', 'Status: soon']))).toMatch(/^250/);
  expect([bounces, counts]).toEqual([[], { bounces: 0, ignored: 1, unreadable: 2, refused: 0 }]);
});

test.each([
  'postmaster@bounces.example.org',
  'bounce@bounces.example.org',
  'bounce+short@bounces.example.org',
  `bounce+${REF}x@bounces.example.org`,
  `xbounce+${REF}@bounces.example.org`,
])('mail to %s is refused', async (to) => {
  const { bounces, deliver, counts } = await intake();
  expect(await deliver(dsn(['Action: failed', 'Status: 5.1.1']), to)).toBe(550);
  expect([bounces, counts.refused]).toEqual([[], 1]);
});

test('a reference that we never gave out is refused', async () => {
  const { bounces, deliver } = await intake({ accepts: (ref) => ref !== REF });
  expect(await deliver(dsn(['Action: failed', 'Status: 5.1.1']))).toBe(550);
  expect(bounces).toEqual([]);
});

test('when recording fails the relay is asked to come back', async () => {
  const { deliver } = await intake({ onBounce: () => Promise.reject(new Error('database away')) });
  expect(await deliver(dsn(['Action: failed', 'Status: 5.1.1']))).toBe(451);
});

test('a mail larger than the limit is refused', async () => {
  const { bounces, deliver } = await intake();
  expect(await deliver(dsn(['Action: failed', 'Status: 5.1.1']) + 'x\r\n'.repeat(500_000))).toBe(552);
  expect(bounces).toEqual([]);
});
