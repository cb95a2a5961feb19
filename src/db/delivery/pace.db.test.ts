import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { lowerPace, raisePace, reservePace } from './pace.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const sender = async (unitsPerSecond: number | null) => {
  const { tenantId } = await deps.tenant();
  const id = await deps.db.withTenant(tenantId, async (tx) => {
    const row = await tx
      .updateTable('senders')
      .set({ units_per_second: unitsPerSecond })
      .where('tenant_id', '=', tenantId)
      .where('channel', '=', 'sms')
      .where('drill', '=', false)
      .returning('id')
      .executeTakeFirstOrThrow();
    return row.id;
  });
  const within = <T>(work: Parameters<typeof deps.db.withTenant<T>>[1]) => deps.db.withTenant(tenantId, work);
  return {
    tenantId,
    id,
    within,
    throttle: () =>
      within((tx) =>
        tx.selectFrom('senders').select('throttle').where('tenant_id', '=', tenantId).where('id', '=', id).executeTakeFirstOrThrow(),
      ).then((row) => row.throttle),
  };
};

test('many at once get turns that never overlap: 40 reservations of 5 units at 100 units/s span 2 s', async () => {
  const { tenantId, id, within } = await sender(100);
  const turns = await Promise.all(Array.from({ length: 40 }, () => within((tx) => reservePace(tx, tenantId, id, 5))));
  for (const turn of turns) expect(turn?.unitMs).toBeCloseTo(10 / 0.984);
  // Each turn is 5 units of the budget, whoever asked first; each one begins where another ends, and none has passed already.
  const starts = turns.map((turn) => turn?.startAt ?? 0).sort((a, b) => a - b);
  for (const [i, start] of starts.entries()) expect(start).toBeCloseTo((starts[0] ?? 0) + (i * 50) / 0.984, 0);
  expect(starts[0]).toBeGreaterThanOrEqual(Math.min(...turns.map((turn) => turn?.now ?? 0)) - 1);
});

test('a sender without a rate never waits, and nothing throttles it', async () => {
  const { tenantId, id, within, throttle } = await sender(null);
  expect(await within((tx) => reservePace(tx, tenantId, id, 10_000))).toBeUndefined();
  await within((tx) => lowerPace(tx, tenantId, id));
  expect(await throttle()).toBe(1);
});

test('refusals of one second lower the pace once; successes bring it back to the whole', async () => {
  const { tenantId, id, within, throttle } = await sender(50);
  for (let i = 0; i < 10; i++) await within((tx) => lowerPace(tx, tenantId, id));
  expect(await throttle()).toBeCloseTo(0.8);
  // Just after a refusal the limit is near.
  for (let i = 0; i < 10; i++) await within((tx) => raisePace(tx, tenantId, id));
  expect(await throttle()).toBeCloseTo(0.82);
  await within((tx) =>
    sql`UPDATE senders SET throttled_at = now() - interval '31 seconds' WHERE tenant_id = ${tenantId} AND id = ${id}`.execute(tx),
  );
  for (let i = 0; i < 10; i++) await within((tx) => raisePace(tx, tenantId, id));
  expect(await throttle()).toBe(1);
});
