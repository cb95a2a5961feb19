import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSmsAdapter } from '#channels/sms/twilio/adapter.ts';
import type { ClaimedBatch } from '#db/delivery/claim-batch.ts';
import { type Database, openDatabase } from '#db/database.ts';
import { createLog } from '#platform/log.ts';
import { correctMessage } from '#services/messages/correct-message.ts';
import { deliverBatch, type DeliverDeps } from '#services/delivery/deliver-batch.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { Recalls } from '#services/delivery/recalls.ts';
import { SendPlans } from '#services/delivery/send-plan.ts';
import { stopEverything } from '#services/messages/stop-everything.ts';
import { stopMessage } from '#services/messages/stop-message.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { sweep } from '#services/upkeep/sweep.ts';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { startHttp } from '#testing/loopback.ts';
import { watchStops } from './stop-watch.ts';

/** Answers take so long, and connections are so few, that calling everybody who is marked would take half a minute. */
const ANSWER_MS = 1_500;
const CONNECTIONS = 4;
const PEOPLE = 100;

let deps: TestDeps;
let away: Database;
beforeAll(async () => {
  deps = await createTestDeps();
  away = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none', role: 'muster_worker', max: 1, name: 'away', log: deps.log });
});
afterAll(async () => {
  await away.close();
  await deps.close();
});

/** The real adapter before a slow carrier, in a worker that hears of stops, or in one that is cut off from the database. */
async function slowWorker(bench: LaneByHand, listens: boolean, cutOff = false) {
  const at: number[] = [];
  const carrier = await startHttp((_request, response) => {
    at.push(Date.now());
    setTimeout(() => response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ sid: `SM${at.length}` })), ANSWER_MS);
  });
  const sms = createSmsAdapter({
    accountSid: `AC${'0'.repeat(32)}`,
    authToken: 'token',
    apiUrl: `http://127.0.0.1:${carrier.port}`,
    callbackBase: 'https://alert.example.org',
    log: createLog('test', 'silent'),
    connections: CONNECTIONS,
  });
  const recalls = new Recalls();
  const db = listens ? deps.db : { ...deps.db, connect: () => Promise.reject(new Error('no connection to listen on')) };
  const watch = await watchStops({ ...deps, db: cutOff ? { ...db, across: away.across } : db }, recalls);
  // As many are marked ahead as ever, since a stop must also hold where the carrier has only just become slow.
  const plans = new SendPlans(deps, { sms: { ...sms, concurrency: PEOPLE } });
  const worker: DeliverDeps = { ...bench.worker(carriers()), plans, recalls };
  const close = async (): Promise<void> => {
    await watch.close();
    await sms.close();
    await carrier.close();
  };
  return { at, worker, close };
}

const STOPS = {
  'the message': async (bench: LaneByHand, id: string) => (await stopMessage(bench.ctx, id)).inFlight,
  'the message, by its correction': async (bench: LaneByHand, id: string) => {
    await correctMessage(bench.ctx, id, { kind: 'correction', text: { en: 'No' } });
    return PEOPLE;
  },
  'the channel': async (bench: LaneByHand) => (await stopEverything(bench.ctx, { scope: 'channel', channel: 'sms' })).inFlight,
  'the organisation': async (bench: LaneByHand) => (await stopEverything(bench.ctx, { scope: 'tenant' })).inFlight,
  'the installation': async (bench: LaneByHand) => (await stopEverything(bench.ctx, { scope: 'installation' })).inFlight,
};

async function stopped(stop: keyof typeof STOPS, listens: boolean) {
  const bench = await LaneByHand.open(deps);
  await bench.people(PEOPLE, { phone: true });
  const message = await bench.launch('ops', { channels: ['sms'] });
  const slow = await slowWorker(bench, listens);
  await bench.plan();
  const batch = await bench.claim('ops');
  const running = deliverBatch(slow.worker, batch);
  await expect.poll(() => slow.at.length).toBe(CONNECTIONS);
  const inFlight = await STOPS[stop](bench, message.id);
  const stoppedAt = Date.now();
  const waiting = () => getMessage(bench.ctx, message.id).then(({ deliveries }) => deliveries);
  // This happens long before the carrier has answered any call.
  await expect.poll(waiting, { interval: 20, timeout: 1_000 }).toMatchObject({ attempting: CONNECTIONS, pending: PEOPLE - CONNECTIONS });
  await running;
  await slow.close();
  expect(inFlight).toBe(PEOPLE);
  expect(Math.max(...slow.at)).toBeLessThan(stoppedAt + 1_000);
  expect(slow.at.length).toBe(CONNECTIONS);
  return { bench, message };
}

const codes = (bench: LaneByHand, message: MessageView) =>
  deps.db.withTenant(bench.ctx.tenantId, async (tx) => {
    const { rows } = await sql<{ state: string; code: string | null; attempts: number; n: number }>`
      SELECT state::text, code, attempts, count(*)::int AS n FROM deliveries WHERE tenant_id = ${bench.ctx.tenantId} AND message_id = ${deps.ids.decode('msg', message.id)} GROUP BY 1, 2, 3 ORDER BY 1`.execute(
      tx,
    );
    return rows;
  });

test.each([
  ['the message', true],
  ['the message', false],
  ['the message, by its correction', true],
] as const)('a stop of %s takes back who was marked and not called, however slow the carrier (listening: %s)', async (stop, listens) => {
  const { bench, message } = await stopped(stop, listens);
  // The lane closes what was stopped, and sends the correction.
  await bench.work(carriers(), 'ops');
  expect(await codes(bench, message)).toEqual([
    { state: 'accepted', code: null, attempts: 1, n: CONNECTIONS },
    { state: 'cancelled', code: 'not_called', attempts: 0, n: PEOPLE - CONNECTIONS },
  ]);
  expect((await getMessage(bench.ctx, message.id)).deliveries).toMatchObject({ accepted: CONNECTIONS, cancelled: PEOPLE - CONNECTIONS, pending: 0 });
});

test.each([
  ['the channel', true],
  ['the organisation', true],
  ['the organisation', false],
  ['the installation', true],
  ['the installation', false],
] as const)('a stop of %s does so too, and its release calls them (listening: %s)', async (stop, listens) => {
  const { bench, message } = await stopped(stop, listens);
  const { ctx } = bench;
  for (const input of [{ scope: 'channel', channel: 'sms' }, { scope: 'tenant' }, { scope: 'installation' }] as const)
    await stopEverything(ctx, { ...input, release: true });
  await bench.makeDue();
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  expect(new Set(carrier.calls.map((call) => call.address)).size).toBe(PEOPLE - CONNECTIONS);
  expect(carrier.calls).toHaveLength(PEOPLE - CONNECTIONS);
  expect(await codes(bench, message)).toEqual([{ state: 'accepted', code: null, attempts: 1, n: PEOPLE }]);
  expect((await getMessage(ctx, message.id)).deliveries).toMatchObject({ accepted: PEOPLE, pending: 0 });
});

/** A worker that cannot ask for stops, in the midst of a message. */
async function cutOff(messageClass: MessageClass, people: number) {
  const bench = await LaneByHand.open(deps);
  await bench.people(people, { phone: true });
  const message = await bench.launch(messageClass, { channels: ['sms'] });
  const slow = await slowWorker(bench, false, true);
  await bench.plan();
  const batch = await bench.claim(messageClass);
  const running = deliverBatch(slow.worker, batch);
  await expect.poll(() => slow.at.length).toBe(CONNECTIONS);
  const deliveries = () => getMessage(bench.ctx, message.id).then((view) => view.deliveries);
  return { bench, message, slow, batch, running, deliveries };
}

/** Its lease has passed and another worker's sweep has found it. */
async function givenUp({ tenantId, id }: ClaimedBatch): Promise<void> {
  await deps.db.withTenant(tenantId, (tx) =>
    sql`UPDATE batches SET lease_until = now() - interval '1 s' WHERE tenant_id = ${tenantId} AND id = ${id}`.execute(tx),
  );
  await sweep(deps);
}

describe('a worker that is cut off from the database', () => {
  test('calls nobody more of a campaign after two seconds, and takes back whom it has marked', async () => {
    const { bench, slow, running, deliveries } = await cutOff('bulk', PEOPLE);
    await running;
    await slow.close();
    expect(slow.at.length).toBeLessThanOrEqual(3 * CONNECTIONS);
    expect(Math.max(...slow.at) - Math.min(...slow.at)).toBeLessThan(4_000);
    expect(await deliveries()).toMatchObject({ accepted: slow.at.length, pending: PEOPLE - slow.at.length, attempting: 0 });
    await bench.makeDue();
    const carrier = carriers();
    await bench.work(carrier, 'bulk');
    expect(carrier.calls).toHaveLength(PEOPLE - slow.at.length);
    expect(await deliveries()).toMatchObject({ accepted: PEOPLE, pending: 0 });
  });

  test('goes on calling for a life message', async () => {
    const people = 3 * CONNECTIONS;
    const { slow, running, deliveries } = await cutOff('life', people);
    await running;
    await slow.close();
    expect(slow.at).toHaveLength(people);
    expect(await deliveries()).toMatchObject({ accepted: people });
  });

  test('says too late whom it has not called: they are in doubt no longer, and called once', async () => {
    const { bench, message, slow, batch, running, deliveries } = await cutOff('bulk', PEOPLE);
    await givenUp(batch);
    expect(await deliveries()).toMatchObject({ unknown: PEOPLE });
    await running;
    await slow.close();
    expect(await deliveries()).toMatchObject({ accepted: slow.at.length, pending: PEOPLE - slow.at.length, unknown: 0 });
    const carrier = carriers();
    await bench.work(carrier, 'bulk');
    expect(carrier.calls).toHaveLength(PEOPLE - slow.at.length);
    expect((await codes(bench, message)).filter(({ state, attempts }) => state !== 'accepted' || attempts !== 1)).toEqual([]);
    expect(await deliveries()).toMatchObject({ accepted: PEOPLE, pending: 0, unknown: 0 });
  });

  test('and of a message that was stopped meanwhile: they are cancelled, not in doubt', async () => {
    const { bench, message, slow, batch, running, deliveries } = await cutOff('bulk', PEOPLE);
    await givenUp(batch);
    await stopMessage(bench.ctx, message.id);
    await bench.plan();
    expect(await deliveries()).toMatchObject({ unknown: PEOPLE });
    await running;
    await slow.close();
    await bench.plan();
    expect(await deliveries()).toMatchObject({ accepted: slow.at.length, cancelled: PEOPLE - slow.at.length, unknown: 0, pending: 0 });
    expect(slow.at.length).toBeLessThanOrEqual(3 * CONNECTIONS);
  });
});

test('a stop elsewhere takes nobody back', async () => {
  const recalls = new Recalls();
  const [here, there] = [
    { tenantId: 1, messageId: '7', channel: 'sms', lane: 'ops' },
    { tenantId: 2, messageId: '8', channel: 'email', lane: 'life' },
  ] as const;
  const [one, other] = [recalls.hold(here), recalls.hold(there)];
  recalls.hear('2:7:');
  recalls.hear('1:8:');
  recalls.hear('1::email');
  recalls.hear('3::');
  expect([one.recalled, other.recalled]).toEqual([false, false]);
  recalls.hear('1:7:');
  expect([one.recalled, other.recalled]).toEqual([true, false]);
  recalls.hear('::');
  expect(other.recalled).toBe(true);
});
