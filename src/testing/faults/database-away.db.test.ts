import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '#db/database.ts';
import { deliverBatch } from '#services/delivery/deliver-batch.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { sweep } from '#services/upkeep/sweep.ts';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { withClient } from '#testing/with-client.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

/** A campaign by SMS to so many people, which is planned and not claimed yet. */
async function campaign(count: number) {
  const bench = await LaneByHand.open(deps);
  await bench.people(count, { phone: true });
  const message = await bench.launch('bulk', { channels: ['sms'] });
  await bench.plan();
  const carrier = carriers();
  const deliveries = async () => (await getMessage(bench.ctx, message.id)).deliveries;
  return { bench, carrier, deliveries, id: message.id };
}

/** The same database, but the n-th piece of work for a tenant is either done with its answer lost, or not done at all. */
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
  const { tenantId } = await deps.tenant();
  const made = [];
  for (const far of [4_096, 8_192, 12_288])
    made.push(
      ...(await Promise.allSettled(
        Array.from({ length: 6 }, () => deps.db.withTenant(tenantId, (tx) => sql`SELECT ensure_delivery_partition(${far})`.execute(tx))),
      )),
    );
  expect(made.filter((one) => one.status === 'rejected')).toEqual([]);
});

test('a connection that is lost between two statements of a transaction ends that transaction, not the process', async () => {
  const { tenantId } = await deps.tenant();
  const lost = deps.db.withTenant(tenantId, async (tx) => {
    const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(tx);
    await withClient(deps.databaseUrl, async (owner) => {
      await owner.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
      // Once the connection is gone, its client has emitted 'error', which would fail this run if nothing handled it.
      await expect.poll(async () => (await owner.query('SELECT 1 FROM pg_stat_activity WHERE pid = $1', [rows[0]?.pid])).rowCount).toBe(0);
    });
    await sql`SELECT 1`.execute(tx);
  });
  await expect(lost).rejects.toThrow(/terminat|connection/i);
  await expect(deps.db.withTenant(tenantId, (tx) => sql`SELECT 1`.execute(tx))).resolves.toBeDefined();
});

test.each([
  ['settles that are lost', 'before'],
  ['settles whose answer is lost', 'after'],
] as const)('%s are written again: nobody is in doubt and nobody is called twice', async (_name, how) => {
  const { bench, carrier, id } = await campaign(200);
  let failuresLeft = 3;
  // When everybody has been called, this worker has only settles, further marks and the batch's end left to write.
  const db = unreliable(deps.db, () => (carrier.calls.length === 200 && failuresLeft-- > 0 ? how : undefined));
  await deliverBatch({ ...bench.worker(carrier), db }, await bench.claim('bulk'));
  expect(failuresLeft).toBeLessThanOrEqual(0);
  expect(new Set(carrier.calls.map((call) => call.address)).size).toBe(200);
  expect(carrier.calls).toHaveLength(200);
  expect(await getMessage(bench.ctx, id)).toMatchObject({ state: 'completed', deliveries: { accepted: 200, attempting: 0, unknown: 0, pending: 0 } });
});

test('a mark whose answer is lost is taken back, and its people are called by the next claim', async () => {
  const { bench, carrier, deliveries } = await campaign(200);
  const worker = bench.worker(carrier);
  const first = await bench.claim('bulk');
  // The worker's first piece of work would be to read the plan's message; done here, its next one is the mark.
  await worker.plans.of(deps.db, first);
  const db = unreliable(deps.db, (n) => (n === 1 ? 'after' : undefined));
  await expect(deliverBatch({ ...worker, db }, first)).rejects.toThrow(/shutting down/);
  expect(carrier.calls).toEqual([]);
  expect(await deliveries()).toMatchObject({ pending: 200, attempting: 0, unknown: 0 });
  await expect.poll(async () => (await sweep(deps)).lanes.has('bulk')).toBe(true);
  await bench.work(carrier, 'bulk');
  expect(new Set(carrier.calls.map((call) => call.address)).size).toBe(200);
  expect(carrier.calls).toHaveLength(200);
  expect(await deliveries()).toMatchObject({ accepted: 200 });
});
