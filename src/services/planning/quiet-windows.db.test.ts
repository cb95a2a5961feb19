import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addToJoinWave } from '#db/audience/join-wave.ts';
import { clockOf } from '#domain/clock-time.ts';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { changeSettings } from '#services/organisations/change-settings.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { getMessage } from '#services/messages/get-message.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const HOUR = 3_600_000;
/** The wall clock of a zone some hours from now: quiet hours that hold whenever the test is run. */
const clockIn = (hours: number, zone = 'UTC'): string => clockOf(deps.clock.now() + hours * HOUR, zone);
const QUIET_NOW = () => ({ from: clockIn(-2), to: clockIn(2) });
const QUIET_LATER = () => ({ from: clockIn(2), to: clockIn(4) });

async function batchesOf(bench: LaneByHand, messageId: string) {
  const id = deps.ids.decode('msg', messageId) ?? '';
  const { rows } = await deps.db.withTenant(bench.ctx.tenantId, (tx) =>
    sql<{ zone: string | null; people: number; due_in: number; open_in: number | null }>`
      SELECT time_zone AS zone, sum(cardinality(ids))::int AS people, extract(epoch FROM min(due_at) - now())::float8 AS due_in, extract(epoch FROM min(open_until) - now())::float8 AS open_in
      FROM batches WHERE message_id = ${id} GROUP BY time_zone ORDER BY time_zone NULLS LAST`.execute(tx),
  );
  return rows;
}
const zoned = (bench: LaneByHand, zone: string, count: number) =>
  deps.db.withTenant(bench.ctx.tenantId, (tx) =>
    sql`UPDATE recipients SET time_zone = ${zone} WHERE tenant_id = ${bench.ctx.tenantId} AND id IN (SELECT id FROM recipients WHERE tenant_id = ${bench.ctx.tenantId} AND time_zone IS NULL ORDER BY id LIMIT ${count})`.execute(
      tx,
    ),
  );

test('a campaign waits for the morning of each person, each zone in batches of its own', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(20);
  // Twelve hours apart, so that it is day where the others sleep. Etc names count west as positive.
  await zoned(bench, 'Etc/GMT-12', 8);
  await changeSettings(bench.ctx, { quietHours: QUIET_NOW() });
  const carrier = carriers();
  const message = await bench.launch('bulk', { channels: ['sms'], expiresAt: undefined });
  await bench.work(carrier, 'bulk');
  expect(carrier.calls).toHaveLength(8);
  const view = await getMessage(bench.ctx, message.id);
  expect(view).toMatchObject({ state: 'live', deliveries: { accepted: 8, pending: 12 } });
  expect(view.forecast?.perChannel[0]).toMatchObject({ people: 20, held: 12 });
  const seconds = view.forecast?.seconds ?? 0;
  expect(seconds > 7_000 && seconds <= 7_260).toBe(true);
  const [awake, asleep] = await batchesOf(bench, message.id);
  expect([awake?.zone, awake?.people, asleep?.zone, asleep?.people]).toEqual(['Etc/GMT-12', 8, null, 12]);
  expect((asleep?.due_in ?? 0) > 7_000 && (asleep?.open_in ?? 0) > (asleep?.due_in ?? 0)).toBe(true);
});

test('what is due when the evening comes is marked for nobody and goes on in the morning', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(5);
  await changeSettings(bench.ctx, { quietHours: QUIET_LATER() });
  const carrier = carriers();
  const message = await bench.launch('bulk', { channels: ['sms'], expiresAt: undefined });
  await bench.plan();
  const [before] = await batchesOf(bench, message.id);
  expect([(before?.due_in ?? 1) <= 0, Math.round((before?.open_in ?? 0) / HOUR) === 0]).toEqual([true, true]);
  // The evening comes.
  await changeSettings(bench.ctx, { quietHours: QUIET_NOW() });
  await deps.db.withTenant(bench.ctx.tenantId, (tx) =>
    sql`UPDATE batches SET open_until = now() WHERE tenant_id = ${bench.ctx.tenantId}`.execute(tx),
  );
  await bench.work(carrier, 'bulk');
  expect(carrier.calls).toHaveLength(0);
  expect((await getMessage(bench.ctx, message.id)).deliveries).toMatchObject({ pending: 5, attempting: 0 });
  const [after] = await batchesOf(bench, message.id);
  expect((after?.due_in ?? 0) > 7_000 && (after?.open_in ?? 0) > (after?.due_in ?? 0)).toBe(true);
  // The morning comes.
  await bench.makeDue();
  await bench.work(carrier, 'bulk');
  expect(carrier.calls).toHaveLength(5);
  expect((await getMessage(bench.ctx, message.id)).state).toBe('completed');
});

test('quiet hours that were taken back hold nobody any longer', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(3);
  await changeSettings(bench.ctx, { quietHours: QUIET_LATER() });
  const message = await bench.launch('bulk', { channels: ['sms'], expiresAt: undefined });
  await bench.plan();
  await changeSettings(bench.ctx, { quietHours: null });
  await deps.db.withTenant(bench.ctx.tenantId, (tx) =>
    sql`UPDATE batches SET open_until = now() WHERE tenant_id = ${bench.ctx.tenantId}`.execute(tx),
  );
  const carrier = carriers();
  await bench.work(carrier, 'bulk');
  await bench.work(carrier, 'bulk');
  expect(carrier.calls).toHaveLength(3);
  expect((await getMessage(bench.ctx, message.id)).state).toBe('completed');
});

test('life and operations know no quiet hours, and who joins by himself is awake', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(4);
  await changeSettings(bench.ctx, { quietHours: QUIET_NOW() });
  const carrier = carriers();
  await bench.launch('life', { channels: ['sms'] });
  await bench.work(carrier, 'life');
  await bench.launch('ops', { channels: ['sms'] });
  await bench.work(carrier, 'ops');
  expect(carrier.calls).toHaveLength(8);

  const message = await bench.launch('bulk', { channels: ['sms'], expiresAt: undefined });
  await bench.plan();
  const { id } = await createRecipient(bench.ctx, { phone: '+14155550199', consent: ['bulk'] });
  const [messageId, recipientId] = [deps.ids.decode('msg', message.id) ?? '', deps.ids.decode('rcp', id) ?? ''];
  await deps.db.withTenant(bench.ctx.tenantId, (tx) => addToJoinWave(tx, bench.ctx.tenantId, messageId, 'sms', recipientId));
  await bench.work(carrier, 'bulk');
  expect(carrier.calls.slice(8).map((call) => call.address)).toEqual(['+14155550199']);
  // Who joins later is no part of the forecast, nor of the fact beside it.
  const view = await getMessage(bench.ctx, message.id);
  expect([view.forecast?.perChannel[0]?.people, view.fact?.perChannel]).toEqual([
    4,
    [expect.objectContaining({ people: 0, seconds: null })],
  ]);
});
