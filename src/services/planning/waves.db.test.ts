import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addToJoinWave } from '#db/audience/join-wave.ts';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { recordAnswer } from '#services/answers/answer.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { stopMessage } from '#services/messages/stop-message.ts';
import { sweep } from '#services/upkeep/sweep.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const idsOf = async (bench: LaneByHand): Promise<string[]> =>
  (await deps.db.withTenant(bench.ctx.tenantId, (tx) => tx.selectFrom('recipients').select('id').orderBy('id').execute())).map(
    (row) => row.id,
  );
const messageIdOf = (publicId: string): string => deps.ids.decode('msg', publicId) ?? '';

test('an escalation goes by the next channel to those who have not answered, not to who answered in between', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(10);
  const message = await bench.launch('ops', {
    answers: [{ key: 'yes', label: 'Yes' }],
    channels: { plan: [{ channels: ['sms'] }, { channels: ['email'], afterSeconds: 60, to: 'not_answered' }] },
  });
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  expect(carrier.calls.map((call) => call.channel)).toEqual(Array.from({ length: 10 }, () => 'sms'));
  expect((await getMessage(bench.ctx, message.id)).state).toBe('live');
  const [first = '', second = ''] = await idsOf(bench);
  const answer = (recipientId: string) =>
    recordAnswer(deps, { tenantId: bench.ctx.tenantId, messageId: messageIdOf(message.id), recipientId, key: 'yes', way: 'page' });
  await answer(first);
  await bench.makeDue();
  await bench.plan();
  // Planned for the second wave already: the mark looks again.
  await answer(second);
  await bench.work(carrier, 'ops');
  expect(carrier.calls.filter((call) => call.channel === 'email')).toHaveLength(8);
  const view = await getMessage(bench.ctx, message.id);
  expect(view.state).toBe('completed');
  expect(view.waves).toMatchObject([
    { wave: 0, channel: 'sms', planned: 10, accepted: 10 },
    { wave: 1, channel: 'email', planned: 9, accepted: 8, failed: 1 },
  ]);
});

test('who was not reached gets the next channel; who changed since the launch is neither added nor lost', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(6);
  const message = await bench.launch('ops', {
    channels: { plan: [{ channels: ['sms'] }, { channels: ['email'], afterSeconds: 30, to: 'not_reached' }] },
  });
  const carrier = carriers((call, n) =>
    call.channel === 'sms' && n <= 2
      ? { kind: 'rejected', code: '21614', addressInvalid: true }
      : { kind: 'accepted', providerId: 'p', units: 1 },
  );
  await bench.work(carrier, 'ops');
  await bench.people(5, { phone: true, email: true }, 100);
  await bench.makeDue();
  await bench.work(carrier, 'ops');
  expect(carrier.calls.filter((call) => call.channel === 'email')).toHaveLength(2);
  expect((await getMessage(bench.ctx, message.id)).audience.count).toBe(6);
});

test('a scheduled message starts once, however many sweep; one missed by long goes back to a human', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(3, { phone: true });
  const startAt = new Date(deps.clock.now() + 60_000).toISOString();
  const [soon, late] = [
    await bench.launch('ops', { startAt, expiresAt: undefined }),
    await bench.launch('ops', { startAt, expiresAt: undefined }),
  ];
  expect(soon.state).toBe('scheduled');
  const move = (id: string, back: string) =>
    deps.db.withTenant(bench.ctx.tenantId, (tx) =>
      sql`UPDATE messages SET start_at = now() - ${back}::interval WHERE tenant_id = ${bench.ctx.tenantId} AND id = ${messageIdOf(id)}`.execute(
        tx,
      ),
    );
  await move(soon.id, '1 second');
  await move(late.id, '1 hour');
  const waves = (await Promise.all(Array.from({ length: 5 }, () => sweep(deps)))).flatMap((found) => found.waves);
  expect(new Set(waves.map((wave) => wave.waveId)).size).toBe(1);
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  expect(carrier.calls).toHaveLength(3);
  expect((await getMessage(bench.ctx, late.id)).state).toBe('draft');
});

test('people who join one by one all get it, through one wave', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(2, { phone: true });
  const message = await bench.launch('ops', { share: true });
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  await bench.people(40, { phone: true }, 100);
  const joiners = (await idsOf(bench)).slice(2);
  for (const [i, id] of joiners.entries()) {
    await deps.db.withTenant(bench.ctx.tenantId, (tx) => addToJoinWave(tx, bench.ctx.tenantId, messageIdOf(message.id), 'sms', id));
    if (i % 7 === 0) await bench.work(carrier, 'ops');
  }
  await bench.work(carrier, 'ops');
  expect(carrier.calls).toHaveLength(42);
  expect(new Set(carrier.calls.map((call) => call.address)).size).toBe(42);
  const view = await getMessage(bench.ctx, message.id);
  expect(view.waves).toHaveLength(2);
  expect(view.deliveries).toMatchObject({ accepted: 42, pending: 0 });
  expect(view.state).toBe('completed');
});

test('an expired message ends what it had queued, and a stopped one its later waves', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(5, { phone: true });
  const expired = await bench.launch('ops');
  await bench.plan();
  await deps.db.withTenant(bench.ctx.tenantId, (tx) =>
    sql`UPDATE messages SET expires_at = now() - interval '1 second' WHERE tenant_id = ${bench.ctx.tenantId} AND id = ${messageIdOf(expired.id)}`.execute(
      tx,
    ),
  );
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  expect(carrier.calls).toHaveLength(0);
  expect(await getMessage(bench.ctx, expired.id)).toMatchObject({ state: 'expired', deliveries: { expired: 5, pending: 0 } });

  const stopped = await bench.launch('ops', {
    channels: { plan: [{ channels: ['sms'] }, { channels: ['sms'], afterSeconds: 5, to: 'not_answered' }] },
  });
  await bench.work(carrier, 'ops');
  await stopMessage(bench.ctx, stopped.id);
  await bench.makeDue();
  await bench.work(carrier, 'ops');
  expect(carrier.calls).toHaveLength(5);
});

test('ops falls back along its list for who was not reached, and lists nobody twice', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(6);
  await bench.people(2, {}, 50);
  const message = await bench.launch('ops', { channels: ['sms', 'email'] });
  const carrier = carriers((call, n) =>
    call.channel === 'sms' && n <= 4 ? { kind: 'rejected', code: '30004' } : { kind: 'accepted', providerId: 'p', units: 1 },
  );
  await bench.work(carrier, 'ops');
  await bench.work(carrier, 'ops');
  expect(carrier.calls.map((call) => call.channel).sort((a, b) => a.localeCompare(b))).toEqual([
    ...Array.from({ length: 4 }, () => 'email'),
    ...Array.from({ length: 6 }, () => 'sms'),
  ]);
  const view = await getMessage(bench.ctx, message.id);
  expect(view.state).toBe('completed');
  expect(view.waves).toMatchObject([
    { wave: 0, channel: 'sms', planned: 8, accepted: 2, failed: 6 },
    { wave: 1, channel: 'email', planned: 4, accepted: 4 },
  ]);
});

test('a message that reaches nobody is complete all the same, and everybody is listed with the reason', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(3, {});
  const message = await bench.launch('bulk');
  await bench.work(carriers(), 'bulk');
  expect(await getMessage(bench.ctx, message.id)).toMatchObject({ state: 'completed', deliveries: { failed: 3 } });
});

test('a message stopped before anybody was planned still lists everybody as cancelled', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(7, { phone: true });
  const message = await bench.launch('ops');
  await stopMessage(bench.ctx, message.id);
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  await bench.plan();
  expect(carrier.calls).toHaveLength(0);
  expect((await getMessage(bench.ctx, message.id)).deliveries).toMatchObject({ cancelled: 7, pending: 0 });
});
