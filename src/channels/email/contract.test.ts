import { createLog } from '#platform/log.ts';
import { adapterContract, type Behaviour, DEADLINE_MS, type Harness } from '#testing/contract.ts';
import { refusedPort, type SmtpScript, startSmtp } from '#testing/loopback.ts';
import { createEmailAdapter } from './adapter.ts';

const email: Harness = {
  sender: { id: 3, address: 'Muster <alerts@example.org>' },
  async start(behaviour) {
    const scripts: Partial<Record<Behaviour, SmtpScript>> = {
      accepts: {},
      'is too busy and says how long': { greeting: '421 4.7.0 Too many connections' },
      'is too busy and does not say': { RCPT: '451 4.7.0 Too fast' },
      'breaks internally': { end: '451 4.3.0 Local error' },
      'falls silent after the body': { end: '' },
      'cuts after the body': { end: null },
      'cuts in the middle of the request': { cutBodyAfter: 10_000 },
      'refuses our credentials': { EHLO: '250-test\r\n250 AUTH PLAIN', AUTH: '535 5.7.8 Authentication failed' },
      'says the person is gone': { RCPT: '550 5.1.1 No such user' },
      'refuses the content': { end: '554 5.7.1 Refused by policy' },
    };
    const carrier = behaviour === 'refuses the connection' ? undefined : await startSmtp(scripts[behaviour] ?? {});
    const login = behaviour === 'refuses our credentials' ? 'user:wrong@' : '';
    const port = carrier?.port ?? (await refusedPort());
    const adapter = createEmailAdapter({
      smtpUrl: `smtp://${login}127.0.0.1:${port}`,
      mailFrom: 'Muster <muster@example.org>',
      returnDomain: 'bounces.example.org',
      log: createLog('test', 'silent'),
      deadlineMs: DEADLINE_MS,
    });
    // Larger than every buffer between us and a carrier that stops reading, where the middle matters.
    const text = behaviour === 'cuts in the middle of the request' ? 'x '.repeat(8_000_000) : 'Hello';
    return {
      carrier,
      adapter,
      content: { channel: 'email', subject: ['Hi'], text: [text], html: ['<p>Hello</p>'], oneClickUnsubscribe: false },
      target: { address: 'ana@example.net', ref: `00${'ab'.repeat(16)}`, slots: {} },
    };
  },
  expected: {
    accepts: { outcome: { kind: 'accepted', providerId: 'TEST1234', units: 1 } },
    // SMTP has no words for how long.
    'is too busy and says how long': { outcome: { kind: 'throttled', code: '421 4.7.0', retryAfterMs: 5_000 } },
    'is too busy and does not say': { outcome: { kind: 'throttled', code: '451 4.7.0', retryAfterMs: 5_000 } },
    // 4yz to the final dot is a plain refusal, unlike an HTTP 5xx.
    'breaks internally': { outcome: { kind: 'retryable', code: '451 4.3.0' } },
    'refuses the connection': { outcome: { kind: 'retryable', code: 'ECONNREFUSED' } },
    'falls silent after the body': { outcome: { kind: 'unknown', code: 'DEADLINE' } },
    'cuts after the body': { outcome: { kind: 'unknown' } },
    // Without the final dot the relay must not accept.
    'cuts in the middle of the request': { outcome: { kind: 'retryable' } },
    'refuses our credentials': { outcome: { kind: 'misconfigured', code: '535 5.7.8' } },
    'says the person is gone': { outcome: { kind: 'gone', code: '550 5.1.1', reason: 'no_mailbox' } },
    'refuses the content': { outcome: { kind: 'rejected', code: '554 5.7.1' } },
  },
};

adapterContract('email', email);
