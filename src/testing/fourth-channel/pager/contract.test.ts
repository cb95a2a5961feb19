import { createLog } from '#platform/log.ts';
import { adapterContract, type Behaviour, DEADLINE_MS, type Harness, startHttpCarrier } from '#testing/contract.ts';
import { createPagerAdapter } from './adapter.ts';

const answers: Partial<Record<Behaviour, [number, Record<string, string>, unknown]>> = {
  accepts: [202, {}, { id: 'page-1' }],
  'is too busy and says how long': [429, { 'retry-after': '7' }, {}],
  'is too busy and does not say': [429, {}, {}],
  'breaks internally': [500, {}, {}],
  'refuses our credentials': [401, {}, { code: 'wrong_key' }],
  'says the person is gone': [410, {}, { code: 'pager_closed' }],
  'refuses the content': [422, {}, { code: 'too_long' }],
};

const pager: Harness = {
  sender: { id: 4, address: '+15005550006' },
  async start(behaviour) {
    const { carrier, port } = await startHttpCarrier(behaviour, answers);
    const log = createLog('test', 'silent');
    const adapter = createPagerAdapter({
      ...{ url: `http://127.0.0.1:${port}`, key: 'k'.repeat(16), callbackBase: 'https://alert.example.org', log },
      deadlineMs: DEADLINE_MS,
    });
    return { carrier, adapter, content: { channel: 'pager', body: ['Hello'], validitySeconds: 600 }, target: { address: '+15005550009', ref: 'r', slots: {} } };
  },
  expected: {
    accepts: { outcome: { kind: 'accepted', providerId: 'page-1', units: 1 } },
    'is too busy and says how long': { outcome: { kind: 'throttled', retryAfterMs: 7_000 } },
    'is too busy and does not say': { outcome: { kind: 'throttled', retryAfterMs: 1_000 } },
    'breaks internally': { outcome: { kind: 'unknown', code: 'http_500' } },
    'refuses the connection': { outcome: { kind: 'retryable', code: 'ECONNREFUSED' } },
    'falls silent after the body': { outcome: { kind: 'unknown', code: 'DEADLINE' } },
    'cuts after the body': { outcome: { kind: 'unknown' } },
    'cuts in the middle of the request': { outcome: { kind: 'unknown' } },
    'refuses our credentials': { outcome: { kind: 'misconfigured', code: 'wrong_key' } },
    'says the person is gone': { outcome: { kind: 'gone', code: 'pager_closed', reason: 'no_mailbox' } },
    'refuses the content': { outcome: { kind: 'rejected', code: 'too_long' } },
  },
};

adapterContract('pager', pager);
