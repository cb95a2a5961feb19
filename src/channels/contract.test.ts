import { createECDH, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import webpush from 'web-push';
import type { ChannelAdapter, Content, SenderIdentity, Target } from '#domain/delivery/channel.ts';
import type { OutcomeKind } from '#domain/delivery/outcome.ts';
import { Recall } from '#domain/delivery/recall.ts';
import { createLog } from '#platform/log.ts';
import { CHANNELS, type Channel } from '#schemas/delivery.ts';
import { refusedPort, startHttp, startSmtp, startTcp, type Loopback, type SmtpScript } from '#testing/loopback.ts';
import { createEmailAdapter } from '#channels/email/adapter.ts';
import { createPushAdapter } from '#channels/push/adapter.ts';
import { createSmsAdapter } from '#channels/sms/twilio/adapter.ts';

/*
 * What every adapter must make of what carriers do. One table a channel: how the carrier misbehaves, and the outcome
 * that the core may rely on. A channel that is not in HARNESSES fails to compile.
 */

const log = createLog('test', 'silent');
const DEADLINE_MS = 1_200;

type Behaviour =
  | 'accepts'
  | 'is too busy and says how long'
  | 'is too busy and does not say'
  | 'breaks internally'
  | 'refuses the connection'
  | 'falls silent after the body'
  | 'cuts after the body'
  | 'cuts in the middle of the request'
  | 'refuses our credentials'
  | 'says the person is gone'
  | 'refuses the content';

/** What it has heard: whole requests, or lines. */
type Carrier = Loopback & { readonly requests?: readonly unknown[]; readonly lines?: readonly string[] };

interface Harness {
  /** @returns the carrier and an adapter that sends to it */
  start(behaviour: Behaviour): Promise<{ carrier: Carrier | undefined; adapter: ChannelAdapter; content: Content; target: Target }>;
  readonly sender: SenderIdentity;
  readonly expected: Readonly<Record<Behaviour, { outcome: { kind: OutcomeKind } & Record<string, unknown>; goneSubscriptions?: string[] }>>;
}

const sms: Harness = {
  sender: { id: 1, address: '+15005550006' },
  async start(behaviour) {
    const answers: Partial<Record<Behaviour, [number, Record<string, string>, unknown]>> = {
      accepts: [201, {}, { sid: `SM${'0'.repeat(32)}`, num_segments: '2', status: 'queued' }],
      'is too busy and says how long': [429, { 'retry-after': '7' }, { code: 20429, status: 429, message: 'Too Many Requests' }],
      'is too busy and does not say': [429, {}, { code: 20429, status: 429, message: 'Too Many Requests' }],
      'breaks internally': [503, {}, { code: 20503, status: 503, message: 'Service Unavailable' }],
      'refuses our credentials': [401, {}, { code: 20003, status: 401, message: 'Authenticate' }],
      'says the person is gone': [400, {}, { code: 21610, status: 400, message: 'Attempt to send to unsubscribed recipient' }],
      'refuses the content': [400, {}, { code: 21617, status: 400, message: 'Body too long' }],
    };
    const { carrier, port } = await startHttpCarrier(behaviour, answers);
    const adapter = createSmsAdapter({
      accountSid: `AC${'0'.repeat(32)}`,
      authToken: 'token',
      apiUrl: `http://127.0.0.1:${port}`,
      callbackBase: 'https://alert.example.org',
      log,
      deadlineMs: DEADLINE_MS,
    });
    return { carrier, adapter, content: { channel: 'sms', body: ['Hello'], validitySeconds: 600 }, target: { address: '+15005550009', ref: 'r', slots: {} } };
  },
  expected: {
    accepts: { outcome: { kind: 'accepted', providerId: `SM${'0'.repeat(32)}`, units: 2 } },
    'is too busy and says how long': { outcome: { kind: 'throttled', code: '20429', retryAfterMs: 7_000 } },
    'is too busy and does not say': { outcome: { kind: 'throttled', code: '20429', retryAfterMs: 1_000 } },
    'breaks internally': { outcome: { kind: 'unknown', code: '20503' } },
    'refuses the connection': { outcome: { kind: 'retryable', code: 'ECONNREFUSED' } },
    'falls silent after the body': { outcome: { kind: 'unknown', code: 'DEADLINE' } },
    'cuts after the body': { outcome: { kind: 'unknown' } },
    // All bytes had left us: nobody here can know how far the carrier read.
    'cuts in the middle of the request': { outcome: { kind: 'unknown' } },
    'refuses our credentials': { outcome: { kind: 'misconfigured', code: '20003' } },
    'says the person is gone': { outcome: { kind: 'gone', code: '21610', reason: 'opted_out' } },
    'refuses the content': { outcome: { kind: 'rejected', code: '21617' } },
  },
};

const push: Harness = {
  sender: { id: 2, address: '' },
  async start(behaviour) {
    const answers: Partial<Record<Behaviour, [number, Record<string, string>, unknown]>> = {
      accepts: [201, { location: 'https://push.example/m/1' }, ''],
      'is too busy and says how long': [429, { 'retry-after': '7' }, ''],
      'is too busy and does not say': [429, {}, ''],
      'breaks internally': [500, {}, ''],
      'refuses our credentials': [403, {}, 'BadJwtToken'],
      'says the person is gone': [410, {}, ''],
      'refuses the content': [413, {}, ''],
    };
    const { carrier, port } = await startHttpCarrier(behaviour, answers);
    const origin = `http://127.0.0.1:${port}`;
    const vapid = { ...webpush.generateVAPIDKeys(), subject: 'mailto:ops@example.org' };
    const adapter = createPushAdapter({ vapid, allowedHosts: [origin], publicUrl: 'https://alert.example.org', log, deadlineMs: DEADLINE_MS });
    const keys = { p256dh: createECDH('prime256v1').generateKeys('base64url'), auth: randomBytes(16).toString('base64url') };
    return {
      carrier,
      adapter,
      content: { channel: 'push', title: ['Hi'], body: ['Hello'], actions: [], ttlSeconds: 60, pushUrgency: 'high', topic: 'm1', lang: 'en' },
      target: { address: '', ref: 'r', slots: {}, subscriptions: [{ id: 's1', endpoint: `${origin}/send/1`, ...keys }] },
    };
  },
  expected: {
    accepts: { outcome: { kind: 'accepted', providerId: 'https://push.example/m/1', units: 1 } },
    'is too busy and says how long': { outcome: { kind: 'throttled', code: 'http_429', retryAfterMs: 7_000 } },
    'is too busy and does not say': { outcome: { kind: 'throttled', code: 'http_429', retryAfterMs: 5_000 } },
    'breaks internally': { outcome: { kind: 'unknown', code: 'http_500' } },
    'refuses the connection': { outcome: { kind: 'retryable', code: 'ECONNREFUSED' } },
    'falls silent after the body': { outcome: { kind: 'unknown', code: 'DEADLINE' } },
    'cuts after the body': { outcome: { kind: 'unknown' } },
    'cuts in the middle of the request': { outcome: { kind: 'unknown' } },
    // One subscription alone may belong to another key: the adapter's own tests have the rest.
    'refuses our credentials': { outcome: { kind: 'retryable', code: 'http_403' } },
    'says the person is gone': { outcome: { kind: 'gone', code: 'http_410', reason: 'subscription_gone' }, goneSubscriptions: ['s1'] },
    'refuses the content': { outcome: { kind: 'rejected', code: 'http_413' } },
  },
};

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
      log,
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

async function startHttpCarrier(
  behaviour: Behaviour,
  answers: Partial<Record<Behaviour, [number, Record<string, string>, unknown]>>,
): Promise<{ carrier: Carrier | undefined; port: number }> {
  if (behaviour === 'refuses the connection') return { carrier: undefined, port: await refusedPort() };
  const cutAtOnce = (): Promise<Carrier> => startTcp((socket) => socket.once('data', () => socket.resetAndDestroy()));
  const carrier =
    behaviour === 'cuts in the middle of the request'
      ? await cutAtOnce()
      : await startHttp((_request, response) => {
          if (behaviour === 'falls silent after the body') return;
          if (behaviour === 'cuts after the body') return void response.destroy();
          const [status, headers, body] = answers[behaviour] ?? [418, {}, ''];
          response.writeHead(status, { 'content-type': 'application/json', ...headers });
          response.end(typeof body === 'string' ? body : JSON.stringify(body));
        });
  return { carrier, port: carrier.port };
}

const HARNESSES: Readonly<Record<Channel, Harness>> = { push, sms, email };
const closers: (() => Promise<unknown> | undefined)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function open(channel: Channel, behaviour: Behaviour) {
  const harness = HARNESSES[channel];
  const started = await harness.start(behaviour);
  closers.push(
    () => started.carrier?.close(),
    () => started.adapter.close(),
  );
  return { ...started, prepared: started.adapter.prepare(started.content, harness.sender), expected: harness.expected[behaviour] };
}

describe.each(CHANNELS)('%s', (channel) => {
  test.each(Object.keys(HARNESSES[channel].expected) as Behaviour[])('when the carrier %s', async (behaviour) => {
    const { prepared, target, expected } = await open(channel, behaviour);
    const started = performance.now();
    expect(await prepared.send(target)).toMatchObject(expected);
    expect(performance.now() - started).toBeLessThan(DEADLINE_MS + 1_500);
  });

  test('a refusal leaves the next call unharmed', async () => {
    const { prepared, target, expected } = await open(channel, 'says the person is gone');
    for (let i = 0; i < 3; i++) expect(await prepared.send(target)).toMatchObject(expected);
  });

  test('many at once: each is answered', async () => {
    const { prepared, target } = await open(channel, 'accepts');
    const results = await Promise.all(Array.from({ length: 200 }, () => prepared.send(target)));
    expect(new Set(results.map((one) => one.outcome.kind))).toEqual(new Set(['accepted']));
  });

  test('a call that is recalled before it began is not made', async () => {
    const { prepared, target } = await open(channel, 'accepts');
    const recall = new Recall();
    recall.recall();
    expect((await prepared.send(target, recall)).outcome).toEqual({ kind: 'not_called', code: 'not_called' });
    expect((await prepared.send(target, new Recall())).outcome).toMatchObject({ kind: 'accepted' });
  });

  test('calls that wait for a connection are taken back at once; those that have begun are in doubt', async () => {
    const { prepared, target, carrier } = await open(channel, 'falls silent after the body');
    const recall = new Recall();
    const ended: string[] = [];
    const sends = Array.from({ length: 300 }, () => prepared.send(target, recall).then(({ outcome }) => ended.push(outcome.kind)));
    await expect.poll(() => (carrier?.requests ?? carrier?.lines?.filter((line) => line === '.') ?? []).length, { interval: 5 }).toBeGreaterThan(0);
    expect(ended).toEqual([]);
    recall.recall();
    await expect.poll(() => ended.length, { timeout: DEADLINE_MS / 2, interval: 5 }).toBeGreaterThanOrEqual(300 - 32);
    expect(new Set(ended)).toEqual(new Set(['not_called']));
    expect(ended.length).toBeLessThan(300);
    await Promise.all(sends);
    expect(new Set(ended)).toEqual(new Set(['not_called', 'unknown']));
  });

  test('a line break in a slot value is refused before anything is sent', async () => {
    const { prepared, target } = await open(channel, 'accepts');
    const slots = { name: 'Ana\r\nBcc: everyone@example.net' };
    expect(await prepared.send({ ...target, slots })).toEqual({ outcome: { kind: 'rejected', code: 'bad_slot_value' } });
  });

  test('close waits for calls under way, and none starts afterwards', async () => {
    const { adapter, prepared, target } = await open(channel, 'falls silent after the body');
    const last = prepared.send(target);
    await adapter.close();
    expect((await last).outcome.kind).toBe('unknown');
    expect((await prepared.send(target)).outcome).toEqual({ kind: 'retryable', code: 'closing' });
  });
});
