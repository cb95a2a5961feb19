import { createRequire } from 'node:module';
import { parse } from 'node:querystring';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { afterEach, expect, test } from 'vitest';
import type { ShortTextContent, Target } from '#domain/delivery/channel.ts';
import { createLog } from '#platform/log.ts';
import { type SeenRequest, startHttp, startTcp } from '#testing/loopback.ts';
import { createSmsAdapter, type SmsAdapterOptions } from './adapter.ts';

const ACCOUNT = `AC${'1'.repeat(32)}`;
const SERVICE = `MG${'a'.repeat(32)}`;
const created = JSON.stringify({ sid: `SM${'2'.repeat(32)}`, num_segments: '1', status: 'queued' });
const content: ShortTextContent = { channel: 'sms', body: ['Hi ', { slot: 'firstName' }, ', flood! ', { slot: 'link' }], validitySeconds: 900.5 };
const target: Target = { address: '+15005550009', ref: 'aTOKEN', slots: { firstName: 'Zoë 🚒 & co', link: 'https://a.example/r/x?y=1&z=2' } };

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function adapterFor(port: number, change: Partial<SmsAdapterOptions> = {}) {
  const adapter = createSmsAdapter({
    accountSid: ACCOUNT,
    authToken: 'se:cret',
    apiUrl: `http://127.0.0.1:${port}`,
    callbackBase: 'https://alert.example.org',
    log: createLog('test', 'silent'),
    deadlineMs: 2_000,
    ...change,
  });
  closers.push(() => adapter.close());
  return adapter;
}

async function twilio(answer: Parameters<typeof startHttp>[0] = (_request, response) => void response.writeHead(201).end(created)) {
  const carrier = await startHttp(answer);
  closers.push(() => carrier.close());
  return carrier;
}

/** Twilio's own OpenAPI description of `POST /Messages.json`, from its CLI. */
function messageRequestValidator(): (request: SeenRequest) => string[] {
  const spec = createRequire(import.meta.url)('@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json') as {
    paths: Record<
      string,
      { post: { requestBody: { content: Record<string, { schema: Record<string, unknown> & { properties: Record<string, { type?: string }> } }> } } }
    >;
    components: object;
  };
  const { schema } = spec.paths['/2010-04-01/Accounts/{AccountSid}/Messages.json']!.post.requestBody.content['application/x-www-form-urlencoded']!;
  const ajv = addFormats.default(new Ajv({ strict: false, allErrors: true }));
  ajv.addFormat('phone-number', /^\+[1-9]\d{6,14}$/);
  const validate = ajv.compile({ ...schema, additionalProperties: false, components: spec.components });
  return ({ body }) => {
    const form: Record<string, unknown> = { ...parse(body) };
    for (const [name, value] of Object.entries(form))
      if (schema.properties[name]?.type === 'integer' && /^\d+$/.test(String(value))) form[name] = Number(value);
    return validate(form) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
  };
}

test('requests are what the published description of the API allows', async () => {
  const carrier = await twilio();
  const adapter = adapterFor(carrier.port);
  await adapter.prepare(content, { id: 1, address: '+15005550006' }).send(target);
  await adapter.prepare(content, { id: 1, address: SERVICE }).send(target);
  const problems = messageRequestValidator();
  expect(carrier.requests.map(problems)).toEqual([[], []]);
  expect(problems({ ...carrier.requests[0]!, body: 'To=nobody&Bogus=1' })).not.toEqual([]);
  const [first, second] = carrier.requests;
  expect(first).toMatchObject({ method: 'POST', path: `/2010-04-01/Accounts/${ACCOUNT}/Messages.json` });
  expect(first?.headers).toMatchObject({ authorization: `Basic ${btoa(`${ACCOUNT}:se:cret`)}`, 'content-type': 'application/x-www-form-urlencoded' });
  expect({ ...parse(first?.body ?? '') }).toEqual({
    To: '+15005550009',
    From: '+15005550006',
    Body: 'Hi Zoë 🚒 & co, flood! https://a.example/r/x?y=1&z=2',
    StatusCallback: 'https://alert.example.org/hooks/twilio/status/aTOKEN',
    ValidityPeriod: '900',
  });
  expect(parse(second?.body ?? '')).toMatchObject({ MessagingServiceSid: SERVICE });
  expect(parse(second?.body ?? '')).not.toHaveProperty('From');
});

test('another base URL keeps its own path', async () => {
  const carrier = await twilio();
  const adapter = adapterFor(carrier.port, { apiUrl: `http://127.0.0.1:${carrier.port}/sim/` });
  await adapter.prepare(content, { id: 1, address: '+15005550006' }).send(target);
  expect(carrier.requests[0]?.path).toBe(`/sim/2010-04-01/Accounts/${ACCOUNT}/Messages.json`);
});

test('connections are kept and none carries two requests at once', async () => {
  const carrier = await twilio();
  const prepared = adapterFor(carrier.port, { connections: 4, deadlineMs: 10_000 }).prepare(content, { id: 1, address: '+15005550006' });
  const results = await Promise.all(Array.from({ length: 300 }, () => prepared.send(target)));
  expect(results.every(({ outcome }) => outcome.kind === 'accepted')).toBe(true);
  expect([carrier.requests.length, carrier.connections()]).toEqual([300, 4]);
});

test('a call that timed out waiting for a connection is retryable and never leaves later', async () => {
  const held: (() => void)[] = [];
  const carrier = await twilio((_request, response) => void held.push(() => response.writeHead(201).end(created)));
  const adapter = adapterFor(carrier.port, { connections: 1 });
  const prepared = adapter.prepare(content, { id: 1, address: '+15005550006' });
  const [written, queued] = await Promise.all([prepared.send(target), prepared.send({ ...target, ref: 'bQUEUED' })]);
  expect([written.outcome, queued.outcome]).toEqual([
    { kind: 'unknown', code: 'DEADLINE' },
    { kind: 'retryable', code: 'DEADLINE' },
  ]);
  const third = prepared.send({ ...target, ref: 'cTHIRD' });
  await expect.poll(() => held.length).toBe(2);
  for (const answer of held) answer();
  expect((await third).outcome.kind).toBe('accepted');
  expect(carrier.requests.some(({ body }) => body.includes('bQUEUED'))).toBe(false);
});

test('what a cut connection carried is written once, whatever else was under way', async () => {
  const seen: string[] = [];
  const carrier = await startTcp((socket) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (!text.includes('status%2F')) return;
      seen.push(/status%2F(\w+)/.exec(text)?.[1] ?? '');
      socket.destroy();
    });
  });
  closers.push(() => carrier.close());
  const prepared = adapterFor(carrier.port, { connections: 2, deadlineMs: 5_000 }).prepare(content, { id: 1, address: '+15005550006' });
  const refs = Array.from({ length: 20 }, (_, i) => `ref${i}`);
  const results = await Promise.all(refs.map((ref) => prepared.send({ ...target, ref })));
  expect(results.map(({ outcome }) => outcome.kind)).toEqual(refs.map(() => 'unknown'));
  expect(seen.toSorted()).toEqual(refs.toSorted());
});

const answers: [string, number, Record<string, string>, string, object][] = [
  ['a created message whose body was cut', 201, { 'content-length': '500' }, '{"sid":', { kind: 'accepted', providerId: null, units: 1 }],
  ['a SID that no column takes', 201, {}, '{"sid":"SM\\u0000","num_segments":"2"}', { kind: 'accepted', providerId: null, units: 2 }],
  ['segments beyond counting', 201, {}, '{"sid":"SM1","num_segments":"40000"}', { kind: 'accepted', providerId: 'SM1', units: 1 }],
  ['segments in halves', 201, {}, '{"sid":"SM1","num_segments":1.5}', { kind: 'accepted', providerId: 'SM1', units: 1 }],
  ['a 200 from something that is not Twilio', 200, {}, '<html>Sign in to the Wi-Fi', { kind: 'unknown', code: 'unreadable_reply' }],
  ['a 200 that says nothing', 200, {}, 'null', { kind: 'unknown', code: 'unreadable_reply' }],
  ['a redirect', 302, { location: 'http://127.0.0.1:1/' }, '', { kind: 'misconfigured', code: 'http_302' }],
  ['an unlisted code', 400, {}, '{"code":29999}', { kind: 'rejected', code: '29999' }],
  [
    'the other error shape (RFC 9457)',
    400,
    {},
    '{"type":"t","title":"t","status":400,"code":21211}',
    { kind: 'rejected', code: '21211', addressInvalid: true },
  ],
  ['a 4xx without a code', 422, {}, 'nope', { kind: 'rejected', code: 'http_422' }],
  ['a 4xx whose code is no number', 400, {}, '{"code":"constructor"}', { kind: 'rejected', code: 'http_400' }],
  ['a landline', 400, {}, '{"code":21635}', { kind: 'rejected', code: '21635', addressInvalid: true }],
  ['a full queue', 400, {}, '{"code":21611}', { kind: 'throttled', code: '21611', retryAfterMs: 60_000 }],
  ['a number that is not ours', 400, {}, '{"code":21606}', { kind: 'misconfigured', code: '21606' }],
  ['a throttle until a date', 429, { 'retry-after': 'Wed, 21 Oct 2015 07:28:30 GMT' }, '', { kind: 'throttled', retryAfterMs: 30_000 }],
  ['a throttle for a year', 429, { 'retry-after': '31536000' }, '', { kind: 'throttled', retryAfterMs: 3_600_000 }],
  ['a throttle with nonsense', 429, { 'retry-after': 'soon' }, '', { kind: 'throttled', retryAfterMs: 1_000 }],
  ['a request that the server did not get whole', 408, {}, '', { kind: 'retryable', code: 'http_408' }],
  ['a gateway timeout', 504, {}, '', { kind: 'unknown', code: 'http_504' }],
];

test.each(answers)('%s', async (_name, status, headers, body, expected) => {
  const carrier = await twilio((_request, response) => {
    response.writeHead(status, headers);
    response.write(body || ' ');
    if (headers['content-length']) setImmediate(() => response.destroy());
    else response.end();
  });
  const clock = { now: () => Date.parse('2015-10-21T07:28:00Z') };
  const { outcome } = await adapterFor(carrier.port, { clock }).prepare(content, { id: 1, address: '+15005550006' }).send(target);
  expect(outcome).toMatchObject(expected);
});
