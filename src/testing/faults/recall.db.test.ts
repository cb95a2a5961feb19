import pg from 'pg';
import webpush from 'web-push';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createEmailAdapter } from '#channels/email/adapter.ts';
import { createPushAdapter } from '#channels/push/adapter.ts';
import { createSmsAdapter } from '#channels/sms/twilio/adapter.ts';
import { claimBatch } from '#db/delivery/claim-batch.ts';
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
import { Bench, carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { apiOf } from '#testing/people-who-act.ts';
import { startTestSimulator, TEST_ACCOUNT, TEST_TOKEN, type TestSimulator } from '#testing/simulator.ts';
import { watchStops } from '#workers/stop-watch.ts';

/**
 * The recall of people who are marked and not called, by a stop through the API and by the carriers' log: `mutants.ts`
 * takes each part of it away. The carriers are slow, so that whoever is not taken back would be called within the test.
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
const byHand = async (statement: string): Promise<void> => {
  const owner = new pg.Client({ connectionString: deps.databaseUrl });
  await owner.connect();
  await owner.query(statement);
  await owner.end();
};
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  // A claim takes whatever is due in its lane: nothing of one test may be left to the next.
  await byHand(`UPDATE batches SET state = 'done', lease_until = NULL, claimed_by = NULL; UPDATE installation SET stopped_at = NULL`);
});

interface Case {
  readonly people: number;
  /** Who has begun when a stop comes: one on each connection. */
  readonly begun: number;
  /** Begun, and who cannot be taken back before the carrier has answered: mail whose envelope went ahead. */
  readonly bound: number;
  /** Marked by then: some wait in the adapter for a connection, some for a place at the adapter. */
  readonly marked: number;
  readonly adapter: () => ChannelAdapter;
}

const origin = { callbackBase: 'https://alert.example.org', publicUrl: 'https://alert.example.org', log };

/** As many calls at once as `places`, which is more than the connections; a quarter more of them are marked. */
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
  /** Hears notifications. */
  readonly listens?: boolean;
  /** Asks the rows. */
  readonly looks?: boolean;
}

/** A message in the midst of its calls: everybody whom the carriers take at once is called and not answered. */
async function underWay(channel: keyof typeof CASES, { listens = true, looks = true }: Watch = {}) {
  const { people, begun, marked, adapter: make } = CASES[channel];
  const { tenantId, apiKey } = await deps.tenant({ policy: OPEN_POLICY });
  const api = apiOf(app, apiKey);
  await addPeople(api, channel, people);
  simulator.control({ [channel]: { latencyMs: ANSWER_MS } });
  const { json: message } = await api<MessageView>('POST', '/messages', {
    ...{ class: 'ops', text: { en: `Water off, ${tenantId}` }, audience: { all: true }, channels: [channel], launch: true },
  });
  const bench = Bench.at(deps, deps.as(tenantId));
  await bench.plan();
  const batch = await claimBatch(deps.db.across, 'ops', 'test');
  if (!batch) throw new Error('a batch is due');
  const adapter = make();
  const recalls = new Recalls();
  const worker: DeliverDeps = { ...bench.worker(carriers()), plans: new SendPlans(deps, { [channel]: adapter }), recalls };
  const before = simulator.state().calls;
  const running = deliverBatch(worker, batch);
  const deliveries = async () => (await api<MessageView>('GET', `/messages/${message.id}`)).json.deliveries;
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
    const { json } = await api<{ id: string }>('POST', '/recipients', { name: `Person ${number}`, ...address });
    if (channel === 'push') expect((await api('POST', `/recipients/${json.id}/push-subscriptions`, subscriptions[i])).status).toBe(201);
  }
}

type UnderWay = Awaited<ReturnType<typeof underWay>>;

/** Long before any answer everybody who has not begun is taken back, and nobody of them is called when answers come. */
async function takenBack({ people, begun, bound, running, deliveries, calls }: UnderWay): Promise<void> {
  await expect.poll(deliveries, { interval: 20, timeout: 1_000 }).toMatchObject({ attempting: bound });
  await running;
  expect(calls()).toBe(begun);
  expect(await deliveries()).toMatchObject({ accepted: begun, attempting: 0, unknown: 0, unresolved: 0, failed: 0 });
  const { pending, cancelled } = await deliveries();
  expect(pending + cancelled).toBe(people - begun);
}

/** None of those attempts is counted, and the list says why they were not called. */
async function listed({ api, bench, message, people, begun, marked, calls }: UnderWay): Promise<void> {
  await bench.work(carriers(), 'ops');
  const { json } = await api<{ items: { code: string | null; attempts: number }[] }>('GET', `/messages/${message.id}/deliveries?state=cancelled&limit=100`);
  expect(json.items).toHaveLength(people - begun);
  expect(json.items.filter(({ code, attempts }) => code === 'not_called' && attempts === 0)).toHaveLength(marked - begun);
  expect(calls()).toBe(begun);
}

test.each(['sms', 'email', 'push'] as const)('recall: a stop takes back who is marked for %s and not called yet', async (channel) => {
  const one = await underWay(channel);
  const { status, json } = await one.api('POST', `/messages/${one.message.id}/stop`);
  expect([status, json]).toMatchObject([200, { inFlight: one.marked }]);
  await takenBack(one);
  await listed(one);
});

test('recall: a correction takes them back too, and goes to those alone who were called', async () => {
  const one = await underWay('sms');
  const { status, json } = await one.api<MessageView>('POST', `/messages/${one.message.id}/correct`, { text: { en: 'Water is on again' } });
  // Whoever was marked may have been called, as far as anybody knows in that moment.
  expect([status, json.audience.count]).toEqual([201, one.marked]);
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
