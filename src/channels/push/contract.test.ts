import { createECDH, randomBytes } from 'node:crypto';
import webpush from 'web-push';
import { createLog } from '#platform/log.ts';
import { adapterContract, type Behaviour, DEADLINE_MS, type Harness, startHttpCarrier } from '#testing/contract.ts';
import { createPushAdapter } from './adapter.ts';

const log = createLog('test', 'silent');

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

adapterContract('push', push);
