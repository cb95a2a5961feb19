import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimBatch } from '#db/delivery/claim-batch.ts';
import type { Database } from '#db/database.ts';
import type { ChannelAdapter, Target } from '#domain/delivery/channel.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { messageInputSchema } from '#schemas/message.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { deliverBatch } from '#services/delivery/deliver-batch.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { planWave } from '#services/planning/plan-wave.ts';
import { Recalls } from '#services/delivery/recalls.ts';
import { SendPlans } from '#services/delivery/send-plan.ts';
import { sweep } from '#services/upkeep/sweep.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const campaign = () => messageInputSchema.parse({ class: 'bulk', text: { en: 'Doors open at six' }, audience: { all: true }, channels: ['sms'], launch: true });

async function crowd(count: number) {
  const { tenantId } = await deps.tenant({ policy: OPEN_POLICY });
  await deps.db.withTenant(tenantId, (tx) =>
    sql`INSERT INTO recipients (tenant_id, name, phone, consent)
      SELECT ${tenantId}, 'Person', '+1202' || lpad((${tenantId} * 1000 + n)::text, 7, '0'), '{bulk}'::message_class[] FROM generate_series(1, ${count}::int) n`.execute(
      tx,
    ),
  );
  return deps.as(tenantId);
}

/** The database as it is, but the n-th piece of work for a tenant is done and its answer lost, or not done at all. */
function unreliable(real: Database, fails: (n: number) => 'before' | 'after' | undefined): Database {
  let n = 0;
  const away = () => Object.assign(new Error('the database system is shutting down'), { code: '57P01' });
  const shaky =
    (way: 'withTenant' | 'atOnce'): Database['withTenant'] =>
    async (tenantId, work) => {
      const how = fails(++n);
      if (how === 'before') throw away();
      const result = await real[way](tenantId, work);
      if (how === 'after') throw away();
      return result;
    };
  return { ...real, withTenant: shaky('withTenant'), atOnce: shaky('atOnce') };
}

test('many messages at once, when the partition of their deliveries does not exist yet', async () => {
  const ctx = await crowd(1);
  const made = [];
  for (const far of [4_096, 8_192, 12_288])
    made.push(
      ...(await Promise.allSettled(
        Array.from({ length: 6 }, () => deps.db.withTenant(ctx.tenantId, (tx) => sql`SELECT ensure_delivery_partition(${far})`.execute(tx))),
      )),
    );
  expect(made.filter((one) => one.status === 'rejected')).toEqual([]);
});

test('a connection that is lost between two statements of a transaction ends that transaction, not the process', async () => {
  const ctx = await crowd(1);
  const lost = deps.db.withTenant(ctx.tenantId, async (tx) => {
    const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(tx);
    const owner = new pg.Client({ connectionString: deps.databaseUrl });
    await owner.connect();
    await owner.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    // Once it is gone, the client's 'error' event is out; unhandled, it would fail this run.
    await expect.poll(async () => (await owner.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [rows[0]?.pid])).rowCount).toBe(0);
    await owner.end();
    await sql`SELECT 1`.execute(tx);
  });
  await expect(lost).rejects.toThrow(/terminat|connection/i);
  await expect(deps.db.withTenant(ctx.tenantId, (tx) => sql`SELECT 1`.execute(tx))).resolves.toBeDefined();
});

test.each([
  ['settles that are lost', 'before'],
  ['settles whose answer is lost', 'after'],
] as const)('%s are written again: nobody is in doubt and nobody is called twice', async (_name, how) => {
  const ctx = await crowd(200);
  const message = await createMessage(ctx, campaign());
  for (const { tenantId, waveId } of (await sweep(deps)).waves) await planWave(deps, tenantId, waveId);
  const called: string[] = [];
  let failuresLeft = 3;
  // Calls have begun, so what comes next from this worker are settles, further marks and the batch's end.
  const db = unreliable(deps.db, () => (called.length === 200 && failuresLeft-- > 0 ? how : undefined));
  const sms: ChannelAdapter = {
    channel: 'sms',
    concurrency: 100,
    prepare: () => ({
      send: ({ address }: Target) => {
        called.push(address);
        return Promise.resolve({ outcome: { kind: 'accepted', providerId: address, units: 1 } });
      },
    }),
    close: () => Promise.resolve(),
  };
  const batch = await claimBatch(deps.db.across, 'bulk', 'test');
  if (!batch) throw new Error('a batch is due');
  await deliverBatch({ ...deps, db, recalls: new Recalls(), plans: new SendPlans(deps, { sms }), random: () => 0, stopping: () => false }, batch);
  expect(failuresLeft).toBeLessThanOrEqual(0);
  expect(new Set(called).size).toBe(200);
  expect(called).toHaveLength(200);
  expect(await getMessage(ctx, message.id)).toMatchObject({ state: 'completed', deliveries: { accepted: 200, attempting: 0, unknown: 0, pending: 0 } });
});

test('a mark whose answer is lost is taken back, and its people are called by the next claim', async () => {
  const ctx = await crowd(200);
  const message = await createMessage(ctx, campaign());
  for (const { tenantId, waveId } of (await sweep(deps)).waves) await planWave(deps, tenantId, waveId);
  const called: string[] = [];
  const sms: ChannelAdapter = {
    channel: 'sms',
    concurrency: 100,
    prepare: () => ({
      send: ({ address }: Target) => {
        called.push(address);
        return Promise.resolve({ outcome: { kind: 'accepted', providerId: address, units: 1 } });
      },
    }),
    close: () => Promise.resolve(),
  };
  const worker = { ...deps, recalls: new Recalls(), plans: new SendPlans(deps, { sms }), random: () => 0, stopping: () => false };
  const first = await claimBatch(deps.db.across, 'bulk', 'test');
  if (!first) throw new Error('a batch is due');
  // The worker's first piece of work is reading the plan's message, the second the mark.
  await worker.plans.of(deps.db, first);
  const db = unreliable(deps.db, (n) => (n === 1 ? 'after' : undefined));
  await expect(deliverBatch({ ...worker, db }, first)).rejects.toThrow(/shutting down/);
  expect(called).toEqual([]);
  expect((await getMessage(ctx, message.id)).deliveries).toMatchObject({ pending: 200, attempting: 0, unknown: 0 });
  await expect.poll(async () => (await sweep(deps)).lanes.has('bulk')).toBe(true);
  for (let batch = await claimBatch(deps.db.across, 'bulk', 'test'); batch; batch = await claimBatch(deps.db.across, 'bulk', 'test'))
    await deliverBatch(worker, batch);
  expect(new Set(called).size).toBe(200);
  expect(called).toHaveLength(200);
  expect((await getMessage(ctx, message.id)).deliveries).toMatchObject({ accepted: 200 });
});
