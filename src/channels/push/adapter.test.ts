import { createECDH, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import webpush from 'web-push';
import type { NotificationContent, PushSubscriptionKeys, Target } from '#domain/delivery/channel.ts';
import { systemClock } from '#platform/clock.ts';
import { createLog } from '#platform/log.ts';
import { startHttp } from '#testing/loopback.ts';
import { createPushAdapter, type PushAdapterOptions } from './adapter.ts';
import { notificationTag } from './payload.ts';

const require = createRequire(import.meta.url);
const vapid = { ...webpush.generateVAPIDKeys(), subject: 'mailto:ops@example.org' };
const log = createLog('test', 'silent');
const content: NotificationContent = {
  channel: 'push',
  title: ['Flood: ', { slot: 'firstName' }],
  body: ['Come to the school. ', { slot: 'link' }],
  actions: [{ action: 'yes', title: 'Coming' }],
  ttlSeconds: 3600,
  pushUrgency: 'high',
  topic: 'topic_1-A',
  lang: 'de',
};
const slots = { firstName: 'Zoë "Z" \u{1F692} </script>', link: 'https://a.example/r/abc' };

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

function adapterFor(origin: string, change: Partial<PushAdapterOptions> = {}) {
  const adapter = createPushAdapter({ vapid, allowedHosts: [origin], publicUrl: 'https://alert.example.org', log, deadlineMs: 3_000, ...change });
  closers.push(() => adapter.close());
  return adapter;
}

const keys = () => ({ p256dh: createECDH('prime256v1').generateKeys('base64url'), auth: randomBytes(16).toString('base64url') });

interface Mock {
  notifyUrl: string;
  subscribe(options: object): Promise<{ endpoint: string; keys: { p256dh: string; auth: string }; clientHash: string }>;
  expireSubscription(hash: string): void;
  messages: Record<string, string[] | undefined>;
}

/** web-push-testing: somebody else's push service, which checks the VAPID token and decrypts. */
async function outsideService(): Promise<{ mock: Mock; origin: string }> {
  const { PushApiModel } = require('web-push-testing/src/PushApiModel.js') as { PushApiModel: new () => Mock };
  const WebPushTestingServer = require('web-push-testing/src/server.js') as new (
    model: Mock,
    port: number,
  ) => { _app: Parameters<Server['on']>[1]; setRequestHandlers(): void };
  const mock = new PushApiModel();
  const service = new WebPushTestingServer(mock, 0);
  service.setRequestHandlers();
  const server = createServer();
  server.on('request', service._app);
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
  closers.push(() => new Promise((done) => server.close(done)));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  mock.notifyUrl = `${origin}/notify/`;
  return { mock, origin };
}

async function subscribe(mock: Mock, id: string): Promise<PushSubscriptionKeys & { hash: string }> {
  const { endpoint, keys: encoded, clientHash } = await mock.subscribe({ userVisibleOnly: 'true', applicationServerKey: vapid.publicKey });
  // The mock hands its keys out in twice encoded form; inside it keeps them as browsers give them.
  const inside = (mock as unknown as { subscriptions: Record<string, { publicKey: string; auth: string }> }).subscriptions[clientHash];
  expect(encoded).toBeDefined();
  return { id, endpoint, p256dh: Buffer.from(inside?.publicKey ?? '', 'base64').toString('base64url'), auth: inside?.auth ?? '', hash: clientHash };
}

test('an outside push service accepts our VAPID token and decrypts what we meant', async () => {
  const { mock, origin } = await outsideService();
  const subscription = await subscribe(mock, 's1');
  const { outcome } = await adapterFor(origin)
    .prepare(content, { id: 1, address: '' })
    .send({ address: '', ref: 'bREF', slots, subscriptions: [subscription] });
  expect(outcome.kind).toBe('accepted');
  const [message] = mock.messages[subscription.hash] ?? [];
  expect(JSON.parse(message ?? '')).toEqual({
    web_push: 8030,
    notification: {
      title: 'Flood: Zoë "Z" \u{1F692} </script>',
      body: 'Come to the school. https://a.example/r/abc',
      navigate: 'https://a.example/r/abc',
      lang: 'de',
      tag: notificationTag('bREF'),
      actions: [{ action: 'yes', title: 'Coming' }],
      data: { link: 'https://a.example/r/abc', beacon: 'https://alert.example.org/r/beacon/bREF' },
    },
  });
});

test('a person with several devices: the best outcome counts, the dead ones are named', async () => {
  const { mock, origin } = await outsideService();
  const [dead, alive, alsoDead] = [await subscribe(mock, 's1'), await subscribe(mock, 's2'), await subscribe(mock, 's3')];
  mock.expireSubscription(dead.hash);
  mock.expireSubscription(alsoDead.hash);
  const prepared = adapterFor(origin).prepare(content, { id: 1, address: '' });
  const send = (subscriptions: PushSubscriptionKeys[]) => prepared.send({ address: '', ref: 'r', slots, subscriptions });
  expect(await send([dead, alive, alsoDead])).toMatchObject({ outcome: { kind: 'accepted' }, goneSubscriptions: ['s1', 's3'] });
  expect(await send([dead, alsoDead])).toMatchObject({ outcome: { kind: 'gone', reason: 'subscription_gone' }, goneSubscriptions: ['s1', 's3'] });
  expect(await send([])).toEqual({ outcome: { kind: 'gone', code: 'no_subscription', reason: 'subscription_gone' } });
});

async function service(answer: Parameters<typeof startHttp>[0] = (_request, response) => void response.writeHead(201).end()) {
  const carrier = await startHttp(answer);
  closers.push(() => carrier.close());
  const origin = `http://127.0.0.1:${carrier.port}`;
  const target: Target = { address: '', ref: 'r', slots, subscriptions: [{ id: 's1', endpoint: `${origin}/p/1?token=a%3d`, ...keys() }] };
  return { carrier, origin, target };
}

test('headers are those of RFC 8030, and one signature serves many messages until half of its life is over', async () => {
  const { carrier, origin, target } = await service();
  // web-push itself refuses an expiry more than 24 hours from the machine's own time.
  let now = systemClock.now();
  const prepared = adapterFor(origin, { clock: { now: () => now } }).prepare(content, { id: 1, address: '' });
  for (let i = 0; i < 3; i++) await prepared.send(target);
  now += 6 * 3_600_000 + 1;
  await prepared.send(target);
  expect(carrier.requests[0]).toMatchObject({
    method: 'POST',
    path: '/p/1?token=a%3d',
    headers: { ttl: '3600', urgency: 'high', topic: 'topic_1-A', 'content-encoding': 'aes128gcm', 'content-type': 'application/octet-stream' },
  });
  const tokens = carrier.requests.map(({ headers }) => headers.authorization ?? '');
  expect(new Set(tokens).size).toBe(2);
  const claims = JSON.parse(Buffer.from(tokens[0]?.split('.')[1] ?? '', 'base64url').toString()) as { aud: string; exp: number; sub: string };
  expect(claims).toMatchObject({ aud: origin, sub: vapid.subject });
  expect(tokens[0]).toContain(`k=${vapid.publicKey}`);
});

test('an answer without end is cut at 4 KB and its status counts', async () => {
  let sent = 0;
  const { origin, target } = await service((_request, response) => {
    response.writeHead(201);
    const chunk = Buffer.alloc(65_536);
    const more = (): void => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  });
  expect((await adapterFor(origin).prepare(content, { id: 1, address: '' }).send(target)).outcome.kind).toBe('accepted');
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});

test('redirects are not followed', async () => {
  const inner = await service();
  const { carrier, origin, target } = await service((_request, response) => void response.writeHead(307, { location: `${inner.origin}/secret` }).end());
  expect((await adapterFor(origin).prepare(content, { id: 1, address: '' }).send(target)).outcome).toEqual({ kind: 'rejected', code: 'http_307' });
  expect([carrier.requests.length, inner.carrier.requests.length]).toEqual([1, 0]);
});

test('a stored endpoint is checked again when sending, and so is the address that its name has now', async () => {
  const { carrier, target } = await service();
  const adapter = createPushAdapter({
    vapid,
    allowedHosts: ['push.example.org'],
    publicUrl: 'https://alert.example.org',
    log,
    resolve: (_host, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
  });
  closers.push(() => adapter.close());
  const prepared = adapter.prepare(content, { id: 1, address: '' });
  expect((await prepared.send(target)).outcome).toMatchObject({ kind: 'rejected', code: 'endpoint_refused' });
  const rebound = [{ id: 's1', endpoint: 'https://push.example.org/x', ...keys() }];
  expect((await prepared.send({ ...target, subscriptions: rebound })).outcome).toEqual({ kind: 'rejected', code: 'endpoint_private' });
  expect(carrier.connections()).toBe(0);
});

test('keys that can encrypt nothing reject that subscription only', async () => {
  const { origin, target } = await service();
  const broken = { id: 's0', endpoint: `${origin}/p/0`, p256dh: 'AAAA', auth: 'AAAA' };
  const prepared = adapterFor(origin).prepare(content, { id: 1, address: '' });
  expect((await prepared.send({ ...target, subscriptions: [broken] })).outcome).toMatchObject({ kind: 'rejected', code: 'bad_subscription_keys' });
  expect((await prepared.send({ ...target, subscriptions: [broken, ...(target.subscriptions ?? [])] })).outcome.kind).toBe('accepted');
});

test.each(['ascii ', 'ж', '🚒', '"\\'])('a body of 4,000 times %j is cut to what RFC 8030 guarantees', async (unit) => {
  const { mock, origin } = await outsideService();
  const subscription = await subscribe(mock, 's1');
  const long: NotificationContent = { ...content, body: [unit.repeat(4_000)] };
  const { outcome } = await adapterFor(origin)
    .prepare(long, { id: 1, address: '' })
    .send({ address: '', ref: 'r', slots, subscriptions: [subscription] });
  expect(outcome.kind).toBe('accepted');
  const [message = ''] = mock.messages[subscription.hash] ?? [];
  const { body } = (JSON.parse(message) as { notification: { body: string } }).notification;
  expect(Buffer.byteLength(message)).toBeLessThanOrEqual(3_993);
  expect(Buffer.byteLength(message)).toBeGreaterThan(3_900);
  expect(body.slice(0, -1)).toBe(unit.repeat(4_000).slice(0, body.length - 1));
  expect(body.isWellFormed()).toBe(true);
});

test('subscriptions of another key stop nobody; a signature that all refuse stops the sender', async () => {
  const service = await startHttp(({ path }, response) => void response.writeHead(path.startsWith('/ours') ? 201 : 403).end());
  closers.push(() => service.close());
  const origin = `http://127.0.0.1:${service.port}`;
  const sendTo = (adapter: ReturnType<typeof adapterFor>) => async (path: string) =>
    (
      await adapter
        .prepare(content, { id: 1, address: '' })
        .send({ address: '', ref: 'r', slots, subscriptions: [{ id: path, endpoint: `${origin}/${path}`, ...keys() }] })
    ).outcome;
  const first = sendTo(adapterFor(origin));
  // Nobody knows yet whose fault it is; the same one may say so as often as it likes.
  for (let i = 0; i < 20; i++) expect(await first('foreign/1')).toEqual({ kind: 'retryable', code: 'http_403' });
  expect(await first('ours/1')).toMatchObject({ kind: 'accepted' });
  for (let i = 0; i < 20; i++) expect(await first(`foreign/${i}`)).toEqual({ kind: i < 10 ? 'rejected' : 'retryable', code: 'http_403' });
  expect(await first('ours/2')).toMatchObject({ kind: 'accepted' });
  expect(await first('foreign/30')).toEqual({ kind: 'rejected', code: 'http_403' });
  const second = sendTo(adapterFor(origin));
  for (let i = 0; i < 9; i++) expect((await second(`foreign/${i}`)).kind).toBe('retryable');
  expect(await second('foreign/9')).toMatchObject({ kind: 'misconfigured', code: 'http_403' });
});
