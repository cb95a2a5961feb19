import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const SUSPECTS = 3;

test('who was called three times by workers that died is called while nobody else of any slot is', async () => {
  const bench = await LaneByHand.open(deps);
  const { tenantId } = bench.ctx;
  await bench.people(1_000, { phone: true });
  const message = await bench.launch('life', { channels: ['sms'] });
  const messageId = bench.ctx.ids.decode('msg', message.id) ?? '';
  await bench.plan();
  // The first people of each of both batches, as three dead workers left them.
  await deps.db.withTenant(tenantId, async (tx) => {
    await sql`INSERT INTO deliveries (message_id, recipient_id, channel, wave, tenant_id, sender_id, batch_id, state, attempts, fence, marked_at, code, next_at)
      SELECT b.message_id, u.id, b.channel, b.wave, b.tenant_id, b.sender_id, b.id, 'unknown', 3, 0, now(), 'lease_passed', now()
      FROM batches b CROSS JOIN LATERAL unnest(b.ids[:${SUSPECTS}::int]) u(id) WHERE b.tenant_id = ${tenantId} AND b.message_id = ${messageId}`.execute(
      tx,
    );
    await sql`UPDATE batches SET marked = ${SUSPECTS} WHERE tenant_id = ${tenantId} AND message_id = ${messageId}`.execute(tx);
  });
  const suspected = new Set(
    (
      await deps.db.withTenant(tenantId, (tx) =>
        sql<{
          phone: string;
        }>`SELECT r.phone FROM deliveries d JOIN recipients r ON r.tenant_id = d.tenant_id AND r.id = d.recipient_id WHERE d.message_id = ${messageId}`.execute(
          tx,
        ),
      )
    ).rows.map((row) => row.phone),
  );
  expect(suspected.size).toBe(2 * SUSPECTS);
  const underWay = new Set<string>();
  const together: string[][] = [];
  let most = 0;
  const carrier = carriers(async ({ address }) => {
    underWay.add(address);
    most = Math.max(most, underWay.size);
    if (underWay.size > 1 && [...underWay].some((one) => suspected.has(one))) together.push([...underWay]);
    await new Promise((done) => setTimeout(done, 3));
    underWay.delete(address);
    return { kind: 'accepted', providerId: 'p', units: 1 };
  });
  const worker = bench.worker(carrier);
  await Promise.all([bench.drain(worker, 'life'), bench.drain(worker, 'life')]);
  expect(together).toEqual([]);
  // The others go on together: what was waited for is given back.
  expect(most).toBeGreaterThanOrEqual(100);
  expect(carrier.calls).toHaveLength(1_000);
});
