import webpush from 'web-push';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createEmailAdapter } from '#channels/email/adapter.ts';
import { createPushAdapter } from '#channels/push/adapter.ts';
import { createSmsAdapter } from '#channels/sms/twilio/adapter.ts';
import { type Database, openDatabase } from '#db/database.ts';
import type { ChannelAdapter } from '#domain/delivery/channel.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { createApp } from '#http/app.ts';
import { createLog } from '#platform/log.ts';
import type { Channel } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { deliverBatch, type DeliverDeps } from '#services/delivery/deliver-batch.ts';
import { Recalls } from '#services/delivery/recalls.ts';
import { SendPlans } from '#services/delivery/send-plan.ts';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { apiOf } from '#testing/people-who-act.ts';
import { startTestSimulator, TEST_ACCOUNT, TEST_TOKEN, type TestSimulator } from '#testing/simulator.ts';
import { withClient } from '#testing/with-client.ts';
import { watchStops } from '#workers/stop-watch.ts';

/**
 * A stop recalls people who are marked and not called yet. The stop goes through the API, and the carriers' log decides;
 * `mutants.ts` takes each part of the recall away. The carriers are slow, so that people who are not recalled would be called
 * within the test.
 */
const ANSWER_MS = 1_500;
const log = createLog('test', 'silent');
const vapid = { ...webpush.generateVAPIDKeys(), subject: 'mailto:ops@example.org' };

let simulator: TestSimulator;
let deps: TestDeps;
let app: ReturnType<typeof createApp>;
let away: Database;
beforeAll(async () => {
  simulator = await startTestSimulator();
  deps = await createTestDeps({ PUSH_HOSTS: simulator.url });
  app = createApp(deps);
  away = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none', role: 'muster_worker', max: 1, name: 'away', log });
});
afterAll(async () => {
  await Promise.all([simulator.close(), deps.close(), away.close()]);
});
const closers: (() => Promise<unknown>)[] = [];
const byHand = (statement: string) => withClient(deps.databaseUrl, (owner) => owner.query(statement));
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  // A claim takes whatever is due in its lane, so nothing of one test may be left to the next.
  await byHand(`UPDATE batches SET state = 'done', lease_until = NULL, claimed_by = NULL; UPDATE installation SET stopped_at = NULL`);
});

interface Case {
  readonly people: number;
  /** How many calls have begun when a stop comes, which is one on each connection. */
  readonly begun: number;
  /** How many have begun or cannot be recalled before the carrier has answered, as a mail whose envelope went ahead. */
  readonly bound: number;
  /** How many are marked by then: some wait in the adapter for a connection, and some for a place at the adapter. */
  readonly marked: number;
  readonly adapter: () => ChannelAdapter;
}

const origin = { callbackBase: 'https://alert.example.org', publicUrl: 'https://alert.example.org', log };

/** Each adapter takes more calls at once (`concurrency`) than it has connections, and a quarter more than that are marked. */
const CASES: Record<'sms' | 'email' | 'push', Case> = {
  sms: {
    ...{ people: 40, begun: 4, bound: 4, marked: 10 },
    adapter: () => ({
      ...createSmsAdapter({ accountSid: TEST_ACCOUNT, authToken: TEST_TOKEN, apiUrl: simulator.url, ...origin, connections: 4 }),
      concurrency: 8,
    }),
  },
  email: {
    ...{ people: 40, begun: 2, bound: 4, marked: 10 },
    adapter: () => ({
      ...createEmailAdapter({ smtpUrl: simulator.smtpUrl, mailFrom: 'Muster <muster@example.test>', returnDomain: 'example.test', log, connections: 2 }),
      concurrency: 8,
    }),
  },
  push: {
    ...{ people: 60, begun: 32, bound: 32, marked: 50 },
    adapter: () => ({ ...createPushAdapter({ vapid, allowedHosts: [simulator.url], ...origin }), concurrency: 40 }),
  },
};

interface Watch {
  /** Whether the worker hears notifications. */
  readonly listens?: boolean;
  /** Whether the worker reads the rows. */
  readonly looks?: boolean;
}

/** A message in the midst of its calls: as many people as the carriers take at once are called, and no call is answered. */
async function underWay(channel: keyof typeof CASES, { listens = true, looks = true }: Watch = {}) {
  const { people, begun, marked, adapter: make } = CASES[channel];
  const { tenantId, apiKey } = await deps.tenant({ policy: OPEN_POLICY });
  const api = apiOf(app, apiKey);
  await addPeople(api, channel, people);
  simulator.control({ [channel]: { latencyMs: ANSWER_MS } });
  const { body: message } = await api<MessageView>('POST', '/messages', {
    ...{ class: 'ops', text: { en: `Water off, ${tenantId}` }, audience: { all: true }, channels: [channel], launch: true },
  });
  const bench = new LaneByHand(deps, deps.as(tenantId));
  await bench.plan();
  const batch = await bench.claim('ops');
  const adapter = make();
  const recalls = new Recalls();
  const worker: DeliverDeps = { ...bench.worker(carriers()), plans: new SendPlans(deps, { [channel]: adapter }), recalls };
  const before = simulator.state().calls;
  const running = deliverBatch(worker, batch);
  const deliveries = async () => (await api<MessageView>('GET', `/messages/${message.id}`)).body.deliveries;
  await expect.poll(() => simulator.state().calls - before, { interval: 5 }).toBe(begun);
  await expect.poll(deliveries).toMatchObject({ attempting: marked, pending: people - marked });
  const db = { ...deps.db, ...(listens ? {} : { connect: away.connect }), ...(looks ? {} : { across: away.across }) };
  const watch = await watchStops({ ...deps, db }, recalls);
  closers.push(
    () => watch.close(),
    () => adapter.close(),
  );
  return { ...CASES[channel], api, bench, message, running, deliveries, calls: () => simulator.state().calls - before };
}

type Api = ReturnType<typeof apiOf>;
let number = 0;
async function addPeople(api: Api, channel: Channel, count: number): Promise<void> {
  const subscriptions = channel === 'push' ? await simulator.subscriptions(count, { applicationServerKey: vapid.publicKey }) : [];
  for (let i = 0; i < count; i++) {
    number += 1;
    const address = channel === 'sms' ? { phone: `+1202556${String(number).padStart(4, '0')}` } : { email: `p${number}@example.test` };
    const { body } = await api<{ id: string }>('POST', '/recipients', { name: `Person ${number}`, ...address });
    if (channel === 'push') expect((await api('POST', `/recipients/${body.id}/push-subscriptions`, subscriptions[i])).status).toBe(201);
  }
}

type UnderWay = Awaited<ReturnType<typeof underWay>>;

/** Holds that calls which have not begun are recalled long before any answer, and that none of them is made when answers come. */
async function takenBack({ people, begun, bound, running, deliveries, calls }: UnderWay): Promise<void> {
  await expect.poll(deliveries, { interval: 20, timeout: 1_000 }).toMatchObject({ attempting: bound });
  await running;
  expect(calls()).toBe(begun);
  expect(await deliveries()).toMatchObject({ accepted: begun, attempting: 0, unknown: 0, unresolved: 0, failed: 0 });
  const { pending, cancelled } = await deliveries();
  expect(pending + cancelled).toBe(people - begun);
}

/** Holds that none of those attempts is counted, and that the list says why they were not made. */
async function listed({ api, bench, message, people, begun, marked, calls }: UnderWay): Promise<void> {
  await bench.work(carriers(), 'ops');
  const { body } = await api<{ items: { code: string | null; attempts: number }[] }>('GET', `/messages/${message.id}/deliveries?state=cancelled&limit=100`);
  expect(body.items).toHaveLength(people - begun);
  expect(body.items.filter(({ code, attempts }) => code === 'not_called' && attempts === 0)).toHaveLength(marked - begun);
  expect(calls()).toBe(begun);
}

test.each(['sms', 'email', 'push'] as const)('recall: a stop takes back who is marked for %s and not called yet', async (channel) => {
  const one = await underWay(channel);
  const { status, body } = await one.api('POST', `/messages/${one.message.id}/stop`);
  expect([status, body]).toMatchObject([200, { inFlight: one.marked }]);
  await takenBack(one);
  await listed(one);
});

test('recall: a correction takes them back too, and goes to those alone who were called', async () => {
  const one = await underWay('sms');
  const { status, body } = await one.api<MessageView>('POST', `/messages/${one.message.id}/correct`, { text: { en: 'Water is on again' } });
  // Everybody who was marked may have been called, as far as anybody knows at that moment.
  expect([status, body.audience.count]).toEqual([201, one.marked]);
  await takenBack(one);
  const carrier = carriers();
  await one.bench.work(carrier, 'ops');
  expect(carrier.calls).toHaveLength(one.begun);
  expect(one.calls()).toBe(one.begun);
});

test('recall: a stop is heard by a process that cannot look', async () => {
  const one = await underWay('sms', { looks: false });
  expect((await one.api('POST', `/messages/${one.message.id}/stop`)).status).toBe(200);
  await takenBack(one);
});

const STOPS: Record<string, (one: UnderWay) => Promise<unknown>> = {
  'the message': ({ api, message }) => api('POST', `/messages/${message.id}/stop`),
  'the channel': ({ api }) => api('POST', '/stop', { scope: 'channel', channel: 'sms' }),
  'the organisation': ({ api }) => api('POST', '/stop', { scope: 'tenant' }),
  'the installation': () => byHand('UPDATE installation SET stopped_at = now()'),
};

test.each(Object.entries(STOPS))('recall: a stop of %s is seen by a process that hears nothing', async (_name, stop) => {
  const one = await underWay('sms', { listens: false });
  await stop(one);
  await takenBack(one);
  expect(one.calls()).toBe(one.begun);
});
