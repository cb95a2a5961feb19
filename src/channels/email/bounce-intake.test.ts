import { afterEach, describe, expect, test } from 'vitest';
import { createLog } from '#platform/log.ts';
import { feedback } from '#testing/bounces/dsn-samples.ts';
import { dsn, OURS, plain, REF } from '#testing/bounces/sample.ts';
import { type BounceIntakeOptions, startBounceIntake } from './bounce-intake.ts';
import { SmtpPool } from './pool.ts';
import type { Report } from './report.ts';

const closers: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function intake(change: Partial<BounceIntakeOptions> = {}) {
  const bounces: [string, Report][] = [];
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

const GONE = dsn([['Action: failed', 'Status: 5.1.1']]);

test.each([
  ['no mailbox', GONE, { kind: 'failed', permanent: true, mailboxGone: true, code: '5.1.1' }],
  ['gave up on a temporary error', dsn([['Action: failed', 'Status: 4.4.1']]), { kind: 'failed', permanent: false, mailboxGone: false, code: '4.4.1' }],
  ['still trying', dsn([['Action: delayed', 'Status: 4.4.1']]), { kind: 'delayed', permanent: false, mailboxGone: false, code: '4.4.1' }],
  [
    'in words',
    plain('mailer-daemon@example.net', 'failure notice', ['<ana@example.net>: 550 No such user']),
    { kind: 'failed', permanent: true, mailboxGone: true, code: '550' },
  ],
  ['a complaint', feedback('abuse'), { kind: 'complaint', permanent: false, mailboxGone: false, code: null }],
  ['nobody knows', plain('postmaster@example.net', 'Notice', ['Something.']), { kind: 'unread', permanent: false, mailboxGone: false, code: null }],
] as const)('%s', async (_name, mail, expected) => {
  const { bounces, deliver, counts } = await intake();
  expect(await deliver(mail)).toMatch(/^250/);
  expect(bounces).toEqual([[REF, expected]]);
  expect(counts).toEqual({ failed: 0, delayed: 0, complaint: 0, none: 0, unread: 0, refused: 0, [expected.kind]: 1 });
});

test('the same bounce twice is reported twice: whoever records it is idempotent', async () => {
  const { bounces, deliver } = await intake();
  await deliver(GONE);
  await deliver(GONE, `BOUNCE+${REF.toUpperCase()}@bounces.example.org`);
  expect(bounces.map(([ref]) => ref)).toEqual([REF, REF]);
});

test('reports of success and what programmes answer change nothing', async () => {
  const { bounces, deliver, counts } = await intake();
  expect(await deliver(dsn([['Action: relayed', 'Status: 2.0.0']]))).toMatch(/^250/);
  expect(await deliver('Subject: Out of office\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n')).toMatch(/^250/);
  expect([bounces, counts]).toEqual([[], { failed: 0, delayed: 0, complaint: 0, none: 2, unread: 0, refused: 0 }]);
});

describe('complaints that a feedback loop sends to one address for all', () => {
  const to = 'complaints@bounces.example.org';
  test.each([
    ['our Message-ID in what came back', feedback('abuse')],
    ['the path that it was sent from', feedback('abuse', [`Original-Mail-From: <bounce+${REF}@bounces.example.org>`], ['Subject: Flood'])],
    ['a Return-Path in what came back', feedback('abuse', [], [`Return-Path: <bounce+${REF.toUpperCase()}@bounces.example.org>`, 'Subject: Flood'])],
  ])('are for the message that %s names', async (_what, mail) => {
    const { bounces, deliver } = await intake();
    expect(await deliver(mail, to)).toMatch(/^250/);
    expect(bounces).toEqual([[REF, expect.objectContaining({ kind: 'complaint' })]]);
  });

  test('a mark that we never gave out is nobody’s', async () => {
    const { bounces, deliver, counts } = await intake({ accepts: () => false });
    expect(await deliver(feedback('abuse'), to)).toMatch(/^250/);
    expect([bounces, counts.complaint]).toEqual([[], 1]);
  });

  test('nothing else is taken there', async () => {
    const { bounces, deliver } = await intake();
    for (const mail of [GONE, feedback('not-spam'), plain('ana@example.net', 'Stop', OURS)]) expect(await deliver(mail, to)).toBe(550);
    expect(bounces).toEqual([]);
  });
});

test.each([
  'postmaster@bounces.example.org',
  'bounce@bounces.example.org',
  'bounce+short@bounces.example.org',
  `bounce+${REF}x@bounces.example.org`,
  `xbounce+${REF}@bounces.example.org`,
])('mail to %s is refused', async (to) => {
  const { bounces, deliver, counts } = await intake();
  expect(await deliver(GONE, to)).toBe(550);
  expect([bounces, counts.refused]).toEqual([[], 1]);
});

test('a reference that we never gave out is refused', async () => {
  const { bounces, deliver } = await intake({ accepts: (ref) => ref !== REF });
  expect(await deliver(GONE)).toBe(550);
  expect(bounces).toEqual([]);
});

test('when recording fails the relay is asked to come back', async () => {
  const { deliver } = await intake({ onBounce: () => Promise.reject(new Error('database away')) });
  expect(await deliver(GONE)).toBe(451);
});

test('a mail larger than the limit is refused', async () => {
  const { bounces, deliver } = await intake();
  expect(await deliver(GONE + 'x\r\n'.repeat(500_000))).toBe(552);
  expect(bounces).toEqual([]);
});
