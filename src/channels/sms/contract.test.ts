import { createSmsAdapter } from '#channels/sms/twilio/adapter.ts';
import { createLog } from '#platform/log.ts';
import { adapterContract, type Behaviour, DEADLINE_MS, type Harness, startHttpCarrier } from '#testing/contract.ts';

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
      log: createLog('test', 'silent'),
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

adapterContract('sms', sms);
