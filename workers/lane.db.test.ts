import { setTimeout as delay } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimBatches } from '#db/delivery/claim-batch.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import type { Database } from '#db/database.ts';
import type { Outcome } from '#domain/delivery/outcome.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { Recalls } from '#services/delivery/recalls.ts';
import { SendPlans } from '#services/delivery/send-plan.ts';
import { stopMessage } from '#services/messages/stop-message.ts';
import { Bench, type Carriers, carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { Lane } from './lane.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const ACCEPTED: Outcome = { kind: 'accepted', providerId: 'p', units: 1 };
const laneOf = (carrier: Carriers, lane: MessageClass = 'life', db: Database = deps.db): Lane =>
  new Lane({
    lane,
    slots: 4,
    db,
    workerName: 'test',
    deps: { ...deps, recalls: new Recalls(), plans: new SendPlans(deps, carrier.channels), random: () => 0 },
    log: deps.log,
  });

/** Batches of SMS under way. */
async function claimed(one: Bench): Promise<number | undefined> {
  const { rows } = await deps.db.withTenant(one.ctx.tenantId, (tx) =>
    sql<{ n: number }>`SELECT count(*)::int AS n FROM batches WHERE tenant_id = ${one.ctx.tenantId} AND state = 'claimed' AND channel = 'sms'`.execute(tx),
  );
  return rows[0]?.n;
}

/** Wakes as the sweep does, until so many calls of the channel were made. */
async function until(lane: Lane, carrier: Carriers, channel: 'sms' | 'email', count: number): Promise<void> {
  await expect
    .poll(
      () => {
        lane.wake();
        return carrier.calls.filter((call) => call.channel === channel).length;
      },
      { timeout: 20_000, interval: 100 },
    )
    .toBe(count);
}

async function bench(rate: number | null): Promise<Bench> {
  const { tenantId } = await deps.tenant({
    policy: OPEN_POLICY,
    senders: [
      { channel: 'sms', name: 'SMS', address: `+1555777${rate ?? 0}000`, unitsPerSecond: rate },
      { channel: 'email', name: 'Mail', address: 'Muster <muster@example.test>' },
    ],
  });
  const made = new Bench(deps, deps.as(tenantId));
  await made.people(3_000);
  return made;
}

test('a carrier that does not answer keeps the other channels of its lane waiting for a second, not for its time-out', async () => {
  const one = await bench(null);
  const silence = Promise.withResolvers<Outcome>();
  const carrier = carriers((call) => (call.channel === 'sms' ? silence.promise : ACCEPTED));
  const lane = laneOf(carrier);
  await one.launch('life', { channels: ['sms', 'email'] });
  await one.plan();
  await until(lane, carrier, 'email', 3_000);
  // What a crash would leave in doubt is bounded as ever.
  expect(carrier.calls.filter((call) => call.channel === 'sms').length).toBeLessThanOrEqual(750);
  silence.resolve(ACCEPTED);
  await until(lane, carrier, 'sms', 3_000);
  await lane.drain();
});

test('a large message by one sender that moves on does not keep another sender waiting', async () => {
  const one = await bench(null);
  // Answers take 0.1 to 1 s: several seconds of SMS, with somebody done at every moment.
  const carrier = carriers(async (call, n) => {
    if (call.channel === 'sms') await delay(100 + (n % 10) * 100);
    return ACCEPTED;
  });
  const lane = laneOf(carrier);
  const large = await one.launch('life', { channels: ['sms'] });
  await one.plan();
  lane.wake();
  await expect.poll(() => carrier.calls.length, { timeout: 10_000 }).toBeGreaterThan(500);
  await deps.db.withTenant(one.ctx.tenantId, (tx) =>
    sql`UPDATE recipients SET tags = '{crew}' WHERE tenant_id = ${one.ctx.tenantId} AND name = 'Person 1'`.execute(tx),
  );
  await one.launch('life', { channels: ['email'], audience: { tags: ['crew'] } });
  await one.plan();
  await until(lane, carrier, 'email', 1);
  expect(carrier.calls.filter((call) => call.channel === 'sms').length).toBeLessThan(1_500);
  await stopMessage(one.ctx, large.id);
  await lane.drain();
});

test('nudges that come together while a sender holds all slots make one claim after the other, and none is lost', async () => {
  const one = await bench(null);
  const silence = Promise.withResolvers<Outcome>();
  const carrier = carriers((call) => (call.channel === 'sms' ? silence.promise : ACCEPTED));
  let claims = 0;
  const across = deps.db.across.withPlugin({
    transformQuery: ({ node }) => {
      claims += 1;
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  });
  const lane = laneOf(carrier, 'bulk', { ...deps.db, across });
  await one.launch('bulk', { channels: ['sms'] });
  await one.plan();
  lane.wake();
  await expect.poll(() => carrier.calls.length, { timeout: 10_000 }).toBeGreaterThan(0);
  await expect.poll(() => claimed(one), { timeout: 10_000 }).toBe(4);
  const before = claims;
  for (let i = 0; i < 16; i++) lane.wake();
  await one.launch('bulk', { channels: ['email'] });
  await one.plan();
  expect(claims - before).toBeLessThanOrEqual(2);
  lane.wake();
  await expect.poll(() => carrier.calls.filter((call) => call.channel === 'email').length, { timeout: 20_000 }).toBe(3_000);
  silence.resolve(ACCEPTED);
  await until(lane, carrier, 'sms', 3_000);
  await lane.drain();
});

test('a sender of two a second keeps nobody else waiting', async () => {
  const one = await bench(2);
  const carrier = carriers();
  const lane = laneOf(carrier);
  await one.launch('life', { channels: ['sms', 'email'] });
  await one.plan();
  await until(lane, carrier, 'email', 3_000);
  expect(carrier.calls.filter((call) => call.channel === 'sms').length).toBeLessThan(60);
  expect(await claimed(one)).toBe(4);
  await lane.drain();
});

test('messages to one person each share claims and transactions, and everybody is called once', async () => {
  const one = await bench(null);
  const person = await deps.db.withTenant(one.ctx.tenantId, (tx) =>
    sql`UPDATE recipients SET tags = '{crew}' WHERE tenant_id = ${one.ctx.tenantId} AND id = (SELECT min(id) FROM recipients WHERE tenant_id = ${one.ctx.tenantId})`.execute(
      tx,
    ),
  );
  expect(Number(person.numAffectedRows)).toBe(1);
  for (let i = 0; i < 40; i++) await one.launch('ops', { channels: ['sms'], audience: { tags: ['crew'] } });
  await one.plan();
  const carrier = carriers();
  const lane = laneOf(carrier, 'ops');
  await until(lane, carrier, 'sms', 40);
  await lane.drain();
  expect(new Set(carrier.calls.map((call) => call.ref)).size).toBe(40);
  const facts = await deps.db.withTenant(one.ctx.tenantId, (tx) =>
    sql<{ completed: number; accepted: number; writes: number }>`
      SELECT (SELECT count(*)::int FROM messages WHERE tenant_id = ${one.ctx.tenantId} AND state = 'completed') AS completed,
        count(*) FILTER (WHERE state = 'accepted')::int AS accepted, count(DISTINCT xmin::text)::int AS writes
      FROM deliveries WHERE tenant_id = ${one.ctx.tenantId}`.execute(tx),
  );
  expect(facts.rows[0]).toMatchObject({ completed: 40, accepted: 40 });
  expect(facts.rows[0]?.writes, 'transactions that settled them').toBeLessThan(15);
});

test('of a sender with a rate one batch is claimed at a time: each holds a part of its budget', async () => {
  const one = await bench(5);
  await deps.db.withTenant(one.ctx.tenantId, (tx) =>
    sql`UPDATE recipients SET tags = '{crew}' WHERE tenant_id = ${one.ctx.tenantId} AND name = 'Person 1'`.execute(tx),
  );
  for (let i = 0; i < 3; i++) await one.launch('ops', { channels: ['sms'], audience: { tags: ['crew'] } });
  await one.plan();
  expect(await claimBatches(deps.db.across, 'ops', 'test', { skip: [], more: 31 })).toHaveLength(1);
  await deps.db.withTenant(one.ctx.tenantId, (tx) => sql`UPDATE senders SET units_per_second = NULL WHERE tenant_id = ${one.ctx.tenantId}`.execute(tx));
  expect(await claimBatches(deps.db.across, 'ops', 'test', { skip: [], more: 31 })).toHaveLength(2);
});
