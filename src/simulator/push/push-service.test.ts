import { createECDH } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import webPush from 'web-push';
import type { BehaviourChange } from '#simulator/control.ts';
import { startTestSimulator, type TestSimulator } from '#testing/simulator.ts';
import { decryptPush } from './decrypt.ts';
import type { SubscriptionJson } from './subscriptions.ts';

const VAPID = webPush.generateVAPIDKeys();
let simulator: TestSimulator;

afterEach(() => simulator.close());

const start = async (behaviour: BehaviourChange = {}): Promise<SubscriptionJson> => {
  simulator = await startTestSimulator({ behaviour });
  return one(simulator.subscriptions(1));
};

async function one<T>(list: Promise<T[]>): Promise<T> {
  const [first] = await list;
  if (first === undefined) throw new Error('the list is empty');
  return first;
}

interface Change {
  headers?: Record<string, string | undefined>;
  audience?: string;
  keys?: { publicKey: string; privateKey: string };
  payload?: string | Buffer;
  signal?: AbortSignal;
}

/** A message that the web-push library encrypted and signed. */
function push(subscription: SubscriptionJson, change: Change = {}): Promise<Response> {
  const { publicKey, privateKey } = change.keys ?? VAPID;
  const { keys, endpoint } = subscription;
  const audience = change.audience ?? new URL(endpoint).origin;
  const { cipherText } = webPush.encrypt(keys.p256dh, keys.auth, change.payload ?? '{"title":"Flood"}', 'aes128gcm');
  const { Authorization } = webPush.getVapidHeaders(audience, 'mailto:ops@example.org', publicKey, privateKey, 'aes128gcm');
  const headers: Record<string, string | undefined> = { ttl: '60', 'content-encoding': 'aes128gcm', authorization: Authorization, ...change.headers };
  const sent = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return fetch(endpoint, { method: 'POST', headers: sent, body: new Uint8Array(cipherText), ...(change.signal ? { signal: change.signal } : {}) });
}

const idOf = (subscription: SubscriptionJson): string => subscription.endpoint.split('/').at(-1) ?? '';

test('the vector of RFC 8291 section 5', async () => {
  await start();
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(Buffer.from('q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94', 'base64url'));
  const body =
    'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN';
  const plain = decryptPush(Buffer.from(body, 'base64url'), { ecdh, auth: Buffer.from('BTBZMqHH6r4Tts7J_aSIgg', 'base64url') });
  expect(plain.toString()).toBe('When I grow up, I want to be a watermelon');
});

test("a message of the web-push library is accepted with 201 and a Location, and is read on the person's page", async () => {
  const subscription = await start();
  const answer = await push(subscription, { headers: { topic: 'flood-1', urgency: 'high' }, payload: '{"title":"Flood at the river"}' });
  expect(answer.status).toBe(201);
  expect(answer.headers.get('location')).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/push-messages\/.+/);
  const id = idOf(subscription);
  expect(simulator.logged()).toMatchObject([
    { channel: 'push', to: id, ref: `${id}/flood-1`, topic: 'flood-1', urgency: 'high', ttl: 60, outcome: 'accepted', taken: true },
  ]);
  await push(subscription, { headers: { topic: 'flood-1' }, payload: '{"title":"All clear"}' });
  const page = await (await fetch(`${simulator.url}/person/${id}`)).text();
  expect(page).toContain('All clear');
  expect(page).not.toContain('Flood at the river');
});

test.each<[string, number, Change]>([
  ['without TTL', 400, { headers: { ttl: undefined } }],
  ['with a TTL that is no number', 400, { headers: { ttl: 'soon' } }],
  ['with a Topic of 33 characters', 400, { headers: { topic: 'x'.repeat(33) } }],
  ['with an unknown Urgency', 400, { headers: { urgency: 'extreme' } }],
  ['in another encoding', 400, { headers: { 'content-encoding': 'aesgcm' } }],
  ['larger than 4096 bytes', 413, { payload: Buffer.alloc(4096, 97) }],
  ['without Authorization', 401, { headers: { authorization: undefined } }],
  ['with a token for another service', 403, { audience: 'https://push.example.org' }],
  ['with a forged signature', 403, { headers: { authorization: forged() } }],
])('a message %s is answered %i', async (_, status, change) => {
  const subscription = await start();
  expect((await push(subscription, change)).status).toBe(status);
  expect(simulator.logged()).toMatchObject([{ outcome: 'refused', taken: false, code: status }]);
});

/** Somebody else's token under our key. */
function forged(): string {
  const theirs = webPush.generateVAPIDKeys();
  const { Authorization } = webPush.getVapidHeaders('http://127.0.0.1', 'mailto:a@example.org', theirs.publicKey, theirs.privateKey, 'aes128gcm');
  return Authorization.replace(/k=.*/, `k=${VAPID.publicKey}`);
}

test('an unknown subscription is 404, one that left is 410', async () => {
  const subscription = await start();
  const { endpoint } = subscription;
  expect((await push({ ...subscription, endpoint: `${endpoint.slice(0, -1)}${endpoint.endsWith('0') ? '1' : '0'}` })).status).toBe(404);
  simulator.control({ addresses: { [idOf(subscription)]: { fate: 'refused', code: 410 } } });
  expect((await push(subscription)).status).toBe(410);
});

test('a subscription bound to an application server refuses others', async () => {
  await start();
  const bound = await one(simulator.subscriptions(1, { applicationServerKey: VAPID.publicKey }));
  expect((await push(bound)).status).toBe(201);
  expect((await push(bound, { keys: webPush.generateVAPIDKeys() })).status).toBe(403);
});

test('faults: 429 with Retry-After, 5xx, a cut, silence', async () => {
  const subscription = await start({ push: { perSecond: 1, retryAfterSeconds: 3 } });
  expect((await push(subscription)).status).toBe(201);
  const throttled = await push(subscription);
  expect([throttled.status, throttled.headers.get('retry-after')]).toEqual([429, '3']);
  simulator.control({ push: { perSecond: null, errorShare: 1, errorStatus: 502 } });
  expect((await push(subscription)).status).toBe(502);
  simulator.control({ push: { errorShare: 0, cutShare: 1 } });
  await expect(push(subscription)).rejects.toThrow('fetch failed');
  simulator.control({ push: { cutShare: 0, silentShare: 1 } });
  await expect(push(subscription, { signal: AbortSignal.timeout(200) })).rejects.toMatchObject({ name: 'TimeoutError' });
  const outcomes = simulator.logged().map(({ outcome, taken }) => [outcome, taken]);
  expect(outcomes).toEqual([
    ['accepted', true],
    ['throttled', false],
    ['error', false],
    ['cut', false],
    ['silent', true],
  ]);
});

test('a restarted simulator knows the subscriptions it gave out, and gives out new ones', async () => {
  const subscription = await start();
  const before = simulator;
  const again = await startTestSimulator({ dataFolder: before.dataFolder });
  const { pathname } = new URL(subscription.endpoint);
  expect((await push({ ...subscription, endpoint: again.url + pathname })).status).toBe(201);
  const [next] = await again.subscriptions(1);
  expect(next && idOf(next)).not.toBe(idOf(subscription));
  expect((await again.subscriptions(1, { first: 1 }))[0]?.keys).toEqual(subscription.keys);
  await again.close();
});
