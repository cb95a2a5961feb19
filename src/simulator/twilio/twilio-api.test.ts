import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { SegmentedMessage } from 'sms-segments-calculator';
import twilio from 'twilio';
import { afterEach, expect, test } from 'vitest';
import type { BehaviourChange } from '#simulator/control.ts';
import { type RecordingSite, recordingSite, type Site, startTestSimulator, TEST_ACCOUNT, TEST_TOKEN, type TestSimulator } from '#testing/simulator.ts';
import { messagesIn } from './inbound.ts';
import { countSegments } from './segments.ts';

const { components } = createRequire(import.meta.url)('@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json') as {
  components: { schemas: Record<string, object> };
};
const ajv = new Ajv({ strict: false, validateFormats: false });
ajv.addSchema({ $id: 'twilio', components });
const fitsMessage = ajv.compile({ $ref: 'twilio#/components/schemas/api.v2010.account.message' });
const MESSAGE_PROPERTIES = Object.keys((components.schemas['api.v2010.account.message'] as { properties: object }).properties).sort();

let simulator: TestSimulator;
let site: RecordingSite;

async function start(behaviour: BehaviourChange = {}, answer?: Site): Promise<void> {
  site = await recordingSite(answer);
  simulator = await startTestSimulator({ publicUrl: site.url, behaviour });
}

afterEach(async () => {
  await simulator.close();
  await site.close();
});

const FROM = '+15005550006';
const TO = '+12025550123';
const sms = (change: Record<string, string> = {}): Record<string, string> => ({ To: TO, From: FROM, Body: 'Come to the school', ...change });
const callback = (ref: string): string => `${site.url}/hooks/twilio/status/${ref}`;
const receiptsOf = (count: number): Promise<{ status: string; code: string | undefined }[]> =>
  site
    .until(count, ({ path }) => path.startsWith('/hooks/twilio/status/'))
    .then((visits) => visits.map(({ form }) => ({ status: form.MessageStatus ?? '', code: form.ErrorCode })));

/** The official SDK, whose requests go to the simulator. */
function sdk(password = TEST_TOKEN): ReturnType<typeof twilio> {
  const httpClient = new twilio.RequestClient();
  httpClient.request = async <T>(options: Parameters<typeof httpClient.request<T>>[0]) => {
    const url = new URL(options.uri.replace('https://api.twilio.com', simulator.url));
    for (const [name, value] of Object.entries((options.params ?? {}) as Record<string, string>)) url.searchParams.set(name, value);
    const headers = { authorization: `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}` };
    const answer = await fetch(url, {
      method: options.method.toUpperCase(),
      headers,
      ...(options.data ? { body: new URLSearchParams(options.data) } : {}),
    });
    return { statusCode: answer.status, body: (await answer.json()) as T, headers: Object.fromEntries(answer.headers) };
  };
  return twilio(TEST_ACCOUNT, password, { httpClient });
}

test("a message, a fetch and a list have the shape of Twilio's own OpenAPI, all 20 properties", async () => {
  await start();
  const made = await simulator.postSms(sms());
  expect(made.status).toBe(201);
  const message = (await made.json()) as Record<string, string>;
  const base = `${simulator.url}/2010-04-01/Accounts/${TEST_ACCOUNT}/Messages`;
  const headers = { authorization: `Basic ${Buffer.from(`${TEST_ACCOUNT}:${TEST_TOKEN}`).toString('base64')}` };
  const fetched = (await (await fetch(`${base}/${message.sid}.json`, { headers })).json()) as object;
  const listed = (await (await fetch(`${base}.json?To=${encodeURIComponent(TO)}`, { headers })).json()) as { messages: object[] };
  for (const one of [message, fetched, listed.messages[0] ?? {}]) {
    expect(fitsMessage(one), JSON.stringify(fitsMessage.errors)).toBe(true);
    expect(Object.keys(one).sort()).toEqual(MESSAGE_PROPERTIES);
  }
  expect(message).toMatchObject({ status: 'queued', to: TO, from: FROM, num_segments: '1', direction: 'outbound-api', error_code: null });
  expect(fitsMessage({ ...message, status: 'lost' })).toBe(false);
});

test('the official SDK sends, fetches, lists by day, and understands the errors', async () => {
  await start();
  const client = sdk();
  const sent = await client.messages.create({ to: TO, from: FROM, body: 'x'.repeat(161), statusCallback: callback('one') });
  expect(sent).toMatchObject({ status: 'queued', numSegments: '2' });
  await receiptsOf(2);
  expect(await client.messages(sent.sid).fetch()).toMatchObject({ sid: sent.sid, status: 'delivered' });
  const today = new Date();
  expect((await client.messages.list({ to: TO, dateSent: today })).map(({ sid }) => sid)).toEqual([sent.sid]);
  expect(await client.messages.list({ to: TO, dateSentBefore: new Date(today.getTime() - 2 * 86_400_000) })).toEqual([]);
  await expect(client.messages.create({ to: '12', from: FROM, body: 'x' })).rejects.toMatchObject({
    status: 400,
    code: 21211,
    moreInfo: 'https://www.twilio.com/docs/errors/21211',
  });
  await expect(client.messages('SM' + '0'.repeat(32)).fetch()).rejects.toMatchObject({ status: 404, code: 20404 });
  await expect(sdk('wrong').messages.create({ to: TO, from: FROM, body: 'x' })).rejects.toMatchObject({ status: 401, code: 20003 });
});

test.each([
  ['no body', { Body: '' }, 21602],
  ['no sender', { From: '' }, 21603],
  ['no recipient', { To: '' }, 21604],
  ['too long', { Body: 'x'.repeat(1601) }, 21617],
  ['a callback that is no address', { StatusCallback: 'nowhere' }, 21609],
  ['a number that Twilio itself keeps for tests', { To: '+15005550009' }, 21614],
])('%s is refused with its own code', async (_, change, code) => {
  await start();
  const answer = await simulator.postSms(sms(change));
  expect([answer.status, await answer.json()]).toMatchObject([400, { code, status: 400 }]);
  expect(simulator.logged()).toMatchObject([{ outcome: 'refused', taken: false, code }]);
});

test("receipts are signed so that Twilio's own check accepts them, and name the message", async () => {
  await start();
  const { sid } = (await (await simulator.postSms(sms({ StatusCallback: `${callback('ref-1')}?a=1` }))).json()) as { sid: string };
  const visits = await site.until(2, () => true);
  expect(visits.map(({ form }) => form.MessageStatus)).toEqual(['sent', 'delivered']);
  for (const { headers, path, form } of visits) {
    expect(path).toBe('/hooks/twilio/status/ref-1?a=1');
    expect(form).toMatchObject({ MessageSid: sid, AccountSid: TEST_ACCOUNT, To: TO, From: FROM });
    const signature = String(headers['x-twilio-signature']);
    expect(twilio.validateRequest(TEST_TOKEN, signature, site.url + path, form)).toBe(true);
    expect(twilio.validateRequest(TEST_TOKEN, signature, site.url + path, { ...form, MessageStatus: 'failed' })).toBe(false);
  }
  expect(simulator.logged()).toMatchObject([
    { channel: 'sms', to: TO, from: FROM, ref: 'ref-1', sid, outcome: 'accepted', taken: true, body: 'Come to the school', units: 1 },
  ]);
});

test.each<[string, BehaviourChange, { status: string; code?: string }[]]>([
  [
    'undelivered with a code',
    { sms: { receipts: { undeliveredShare: 1, errorCodes: [30005] } } },
    [{ status: 'sent' }, { status: 'undelivered', code: '30005' }],
  ],
  ['failed, never sent', { sms: { receipts: { failedShare: 1, errorCodes: [30001] } } }, [{ status: 'failed', code: '30001' }]],
  ['repeated', { sms: { receipts: { repeat: 2 } } }, [{ status: 'sent' }, { status: 'sent' }, { status: 'delivered' }, { status: 'delivered' }]],
  ['in reverse', { sms: { receipts: { order: 'reversed' } } }, [{ status: 'delivered' }, { status: 'sent' }]],
  ['late', { sms: { receipts: { delaySeconds: 0.05 } } }, [{ status: 'sent' }, { status: 'delivered' }]],
  ['told for this number', { addresses: { [TO]: { receipt: 'undelivered' } } }, [{ status: 'sent' }, { status: 'undelivered', code: '30003' }]],
])('receipts: %s', async (_, change, expected) => {
  await start({ sms: { receipts: { errorCodes: [30003] } } });
  simulator.control(change);
  await simulator.postSms(sms({ StatusCallback: callback('r') }));
  expect(await receiptsOf(expected.length)).toEqual(expected.map(({ status, code }) => ({ status, code })));
});

test('early receipts are answered before the 201 is, and the 201 still says queued', async () => {
  const order: string[] = [];
  await start({ sms: { receipts: { earlyShare: 1 } } }, ({ form }) => {
    order.push(form.MessageStatus ?? '');
    return {};
  });
  const answer = await simulator.postSms(sms({ StatusCallback: callback('r') }));
  order.push(String(answer.status));
  expect(order).toEqual(['sent', 'delivered', '201']);
  expect(await answer.json()).toMatchObject({ status: 'queued' });
});

test('each call is on file before it is answered', async () => {
  await start();
  await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const answer = await simulator.postSms(sms({ To: `+1202555${1000 + i}` }));
      // The log is read when the head of the answer has arrived: the line must be there already.
      const lines = simulator.logged();
      const { sid } = (await answer.json()) as { sid: string };
      expect(lines.map((call) => call.sid)).toContain(sid);
    }),
  );
  expect(new Set(simulator.logged().map(({ to }) => to)).size).toBe(60);
});

test('above the rate: 429 with 20429, and no second has more than the rate in it', async () => {
  await start({ sms: { perSecond: 5, retryAfterSeconds: 7 } });
  const statuses = [];
  for (let n = 0; n < 8; n++) statuses.push(await simulator.postSms(sms()));
  expect(statuses.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201, 429, 429, 429]);
  expect(statuses[5]?.headers.get('retry-after')).toBe('7');
  expect(await statuses[5]?.json()).toMatchObject({ code: 20429, status: 429 });
  expect((await simulator.postSms(sms({ From: '+15005550007' }))).status).toBe(201);
  expect(simulator.logged().filter(({ outcome }) => outcome === 'throttled')).toHaveLength(3);
});

test('refused by share: always the same numbers, with one of the codes given', async () => {
  await start({ sms: { refusedShare: 0.5, refusedCodes: [21610, 21614] } });
  const numbers = Array.from({ length: 40 }, (_, i) => `+1202555${2000 + i}`);
  const round = async (): Promise<number[]> => {
    const answers = await Promise.all(numbers.map((To) => simulator.postSms(sms({ To }))));
    return Promise.all(answers.map(async (answer) => (answer.ok ? 0 : ((await answer.json()) as { code: number }).code)));
  };
  const codes = await round();
  expect(new Set(codes)).toEqual(new Set([0, 21610, 21614]));
  expect(await round()).toEqual(codes);
});

test('server errors: taken or not by share, and those taken get receipts', async () => {
  await start({ sms: { errorShare: 1, errorStatus: 502, takenShare: 0 } });
  expect((await simulator.postSms(sms())).status).toBe(502);
  simulator.control({ sms: { takenShare: 1 } });
  expect((await simulator.postSms(sms({ StatusCallback: callback('taken') }))).status).toBe(502);
  expect(await receiptsOf(2)).toHaveLength(2);
  expect(simulator.logged()).toMatchObject([
    { outcome: 'error', taken: false, sid: '' },
    { outcome: 'error', taken: true, ref: 'taken' },
  ]);
});

test('a cut connection and silence after acceptance', async () => {
  await start({ addresses: { '+12025550001': { fate: 'cut' }, '+12025550002': { fate: 'silent' } } });
  await expect(simulator.postSms(sms({ To: '+12025550001' }))).rejects.toThrow('fetch failed');
  const silent = simulator.postSms(sms({ To: '+12025550002', StatusCallback: callback('s') }), { signal: AbortSignal.timeout(300) });
  await expect(silent).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(await receiptsOf(2)).toHaveLength(2);
  expect(simulator.logged()).toMatchObject([
    { outcome: 'cut', taken: false },
    { outcome: 'silent', taken: true },
  ]);
});

test('latency delays the answer, not the log', async () => {
  await start({ sms: { latencyMs: 60_000 } });
  const answer = simulator.postSms(sms(), { signal: AbortSignal.timeout(400) });
  await expect(answer).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(simulator.logged()).toMatchObject([{ outcome: 'accepted' }]);
});

test('a reply is signed and inbound; STOP stops the carrier, START opens it again; TwiML goes to the person', async () => {
  await start({}, ({ form }) => (form.Body === 'HELP' ? { body: '<Response><Message>Alerts &amp; drills</Message></Response>' } : {}));
  const write = (body: string): Promise<number> => simulator.text({ from: TO, to: FROM, body });
  expect(await write('STOP')).toBe(200);
  const [visit] = await site.until(1, ({ path }) => path === '/hooks/twilio/inbound');
  expect(visit?.form).toMatchObject({ From: TO, To: FROM, Body: 'STOP', SmsStatus: 'received', MessageSid: expect.stringMatching(/^SM[0-9a-f]{32}$/) });
  expect(twilio.validateRequest(TEST_TOKEN, String(visit?.headers['x-twilio-signature']), `${site.url}/hooks/twilio/inbound`, visit?.form ?? {})).toBe(true);
  expect(await (await simulator.postSms(sms())).json()).toMatchObject({ code: 21610 });
  await write('start');
  expect((await simulator.postSms(sms())).status).toBe(201);
  await write('HELP');
  expect(simulator.logged()).toMatchObject([{ code: 21610 }, { outcome: 'accepted' }, { ref: 'twiml', to: TO, from: FROM, body: 'Alerts & drills' }]);
});

test('TwiML: several messages, with and without Body', async () => {
  await start();
  expect(messagesIn('<Response><Message to="+1">a</Message><Message><Body>b &lt; c</Body></Message><Message/></Response>')).toEqual(['a', 'b < c']);
});

test('segments are those of the library, also where they are counted without it', async () => {
  await start();
  const letters = fc.constantFrom('a', ' ', '\n', 'é', '€', '[', 'Ω', 'ж', '中', '’', '👍', 'e\u0301', '\r\n');
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: letters, maxLength: 400 }), fc.string({ unit: fc.constantFrom('a', 'Z', '1', ' '), maxLength: 500 })), (text) => {
      expect(countSegments(text)).toBe(Math.max(1, new SegmentedMessage(text).segmentsCount));
    }),
    { numRuns: 60 },
  );
});
