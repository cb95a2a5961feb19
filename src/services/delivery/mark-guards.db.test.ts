import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { correctMessage } from '#services/messages/correct-message.ts';
import { getMessage } from '#services/messages/get-message.ts';

/** Send guards inside the mark: the fact changes after the launch, and nobody is called any more. */
let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

async function opened(policy?: Record<string, unknown>): Promise<LaneByHand> {
  const bench = await LaneByHand.open(deps, policy);
  await bench.people(5, { phone: true });
  return bench;
}

describe('a launched message that is changed is stopped for good, on record', () => {
  test.each([
    ['its approval is gone', 'approval', {}, `approval_needed = true, approved_at = NULL`],
    ['its author is its approver', 'approval', {}, `approval_needed = true, approved_at = now(), approved_by = created_by`],
    [
      'its approver is its author by another key',
      'approval',
      {},
      `approval_needed = true, approved_at = now(), created_by = 'user:' || (SELECT id FROM users), approved_by = 'key:' || (SELECT id FROM api_keys)`,
    ],
    [
      'its approver had changed it by another key',
      'approval',
      {},
      `approval_needed = true, approved_at = now(), changed_by = ARRAY['key:' || (SELECT id FROM api_keys)], approved_by = 'user:' || (SELECT id FROM users)`,
    ],
    [
      'more people are planned than were approved',
      'audience',
      {},
      `approval_needed = true, approved_at = now(), approved_by = 'user:9', audience_count = 4`,
    ],
    ['its drill says that it is none', 'drill_text', { drill: true }, `text = '{"en": "This is not a drill"}'`],
    ['its drill says so in German', 'drill_text', { drill: true }, `text = '{"en": "Go", "de": "Dies ist KEINE ÜBUNG"}'`],
    ['its drill says so in French', 'drill_text', { drill: true }, `text = '{"fr": "Ceci n’est pas un exercice"}'`],
    ['its drill says so in Spanish', 'drill_text', { drill: true }, `text = '{"es": "Esto no es un simulacro"}'`],
    ['the title of its drill says so', 'drill_text', { drill: true }, `title = 'Keine Übung'`],
    ['a button of its drill says so', 'drill_text', { drill: true }, `answers = '[{"key": "yes", "label": "N0T A DRILL"}]'`],
  ])('%s', async (_, guard, extra, change) => {
    const bench = await opened();
    const message = await bench.launch('ops', { channels: ['sms'], ...extra });
    await bench.run(sql`UPDATE messages SET ${sql.raw(change)}`);
    const carrier = carriers();
    await bench.work(carrier, 'ops');
    await bench.plan();
    expect(carrier.calls).toEqual([]);
    expect(await getMessage(bench.ctx, message.id)).toMatchObject({
      state: 'stopped',
      stoppedBy: `guard:${guard}`,
      deliveries: { cancelled: 5, pending: 0 },
    });
    const rows = await bench.run(sql`SELECT detail FROM audit_log WHERE action = 'message.guard'`);
    expect(rows).toEqual([{ detail: { guard: `guard:${guard}` } }]);
  });
});

test('a drill of an organisation that is renamed so that its name denies it is stopped', async () => {
  const bench = await opened();
  const message = await bench.launch('ops', { channels: ['sms'], drill: true });
  await bench.run(sql`UPDATE tenants SET name = 'This is not a drill'`);
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  await bench.plan();
  expect(carrier.calls).toEqual([]);
  expect(await getMessage(bench.ctx, message.id)).toMatchObject({ state: 'stopped', stoppedBy: 'guard:drill_text' });
});

test('what another person approved by a key goes out, also where the author is a key of nobody', async () => {
  const bench = await opened();
  const message = await bench.launch('ops', { channels: ['sms'] });
  await bench.run(sql`INSERT INTO api_keys (tenant_id, name, key_hash, mode) VALUES (${bench.ctx.tenantId}, 'nobody', '\\x00', 'live')`);
  await bench.run(
    sql`UPDATE messages SET approval_needed = true, approved_at = now(), created_by = 'key:' || (SELECT id FROM api_keys WHERE user_id IS NULL),
      changed_by = '{user:999999}', approved_by = 'key:' || (SELECT id FROM api_keys WHERE user_id IS NOT NULL)`,
  );
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  expect(carrier.calls).toHaveLength(5);
  expect((await getMessage(bench.ctx, message.id)).state).toBe('completed');
});

describe('a launched message waits, and is not lost', () => {
  test.each([
    ['the tenant is suspended', `UPDATE tenants SET suspended_at = now()`, `UPDATE tenants SET suspended_at = NULL`],
    [
      'its sender became one for drills',
      `UPDATE senders SET drill = true WHERE channel = 'sms'`,
      `UPDATE senders SET drill = false WHERE address LIKE '+1555000%'`,
    ],
  ])('while %s', async (_, change, back) => {
    const bench = await opened();
    const message = await bench.launch('ops', { channels: ['sms'] });
    await bench.run(sql.raw(change) as never);
    const carrier = carriers();
    await bench.work(carrier, 'ops');
    expect(carrier.calls).toEqual([]);
    await bench.run(sql.raw(back) as never);
    await bench.makeDue();
    await bench.work(carrier, 'ops');
    expect(carrier.calls).toHaveLength(5);
    expect(await getMessage(bench.ctx, message.id)).toMatchObject({ state: 'completed', deliveries: { accepted: 5 } });
  });
});

test('nobody is sent more messages within an hour than the tenant allows; life is sent all the same, and counts', async () => {
  const bench = await opened({ approvalAbove: { life: null, ops: null, bulk: null }, doubling: false, hourlyCeiling: 2 });
  await bench.people(1, { phone: true }, 100);
  const send = async (messageClass: 'life' | 'ops' | 'bulk', audience: object = { all: true }) => {
    const message = await bench.launch(messageClass, { channels: ['sms'], audience });
    await bench.work(carriers(), messageClass);
    return getMessage(bench.ctx, message.id);
  };
  const rows = await bench.run(sql`SELECT id FROM recipients ORDER BY id DESC LIMIT 1`);
  const rested = { ids: [deps.ids.encode('rcp', (rows[0] as { id: string }).id)] };
  expect((await send('life', { not: rested })).deliveries.accepted).toBe(5);
  expect((await send('ops', { not: rested })).deliveries.accepted).toBe(5);
  // Five have had two; the sixth none.
  const third = await send('bulk');
  expect(third.deliveries).toMatchObject({ accepted: 1, failed: 5 });
  const codes = await bench.run(sql`SELECT DISTINCT code FROM deliveries WHERE state = 'failed'`);
  expect(codes).toEqual([{ code: 'hourly_ceiling' }]);
  expect((await send('life')).deliveries.accepted).toBe(6);
  // A correction undoes harm and goes to everybody who had it.
  const correction = await correctMessage(bench.ctx, third.id, { kind: 'correction', text: { en: 'It is off' } });
  await bench.work(carriers(), 'bulk');
  expect((await getMessage(bench.ctx, correction.id)).deliveries.accepted).toBe(1);
  // An hour later all may be called again.
  await bench.run(sql`UPDATE deliveries SET marked_at = marked_at - interval '1 hour'`);
  expect((await send('ops')).deliveries.accepted).toBe(6);
});

test('a correction of a message that nobody had is refused, and the message is stopped', async () => {
  const bench = await opened();
  const message = await bench.launch('ops', { channels: ['sms'] });
  await expect(correctMessage(bench.ctx, message.id, { kind: 'correction', text: { en: 'No' } })).rejects.toMatchObject({
    code: 'nobody_had_it',
  });
  expect((await getMessage(bench.ctx, message.id)).state).toBe('stopped');
});

test('a correction of a drill may not deny it either', async () => {
  const bench = await opened();
  const drill = await bench.launch('ops', { channels: ['sms'], drill: true });
  await bench.work(carriers(), 'ops');
  const refused = correctMessage(bench.ctx, drill.id, { kind: 'correction', text: { en: 'This is not a drill' } });
  await expect(refused).rejects.toMatchObject({ status: 422, errors: [{ field: 'text.en', code: 'drill_text' }] });
});

test('a correction calls nobody who cannot have had the first, whoever came into its plan, nor by another channel', async () => {
  const bench = await opened();
  const first = await bench.launch('ops', { channels: ['sms'] });
  await bench.work(carriers(), 'ops');
  await bench.people(1, { phone: true }, 100);
  const correction = await correctMessage(bench.ctx, first.id, { kind: 'correction', text: { en: 'It is off' } });
  await bench.plan();
  const id = deps.ids.decode('msg', correction.id);
  await bench.run(
    sql`UPDATE batches SET ids = ids || (SELECT max(id) FROM recipients), to_id = (SELECT max(id) FROM recipients) WHERE message_id = ${id}`,
  );
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  expect(carrier.calls).toHaveLength(5);
  const refused = await bench.run(sql`SELECT code FROM deliveries WHERE message_id = ${id} AND state = 'failed'`);
  expect(refused).toEqual([{ code: 'never_had_it' }]);

  await bench.run(sql`UPDATE deliveries SET channel = 'email' WHERE message_id = ${deps.ids.decode('msg', first.id)}`);
  const again = await correctMessage(bench.ctx, first.id, { kind: 'correction', text: { en: 'It is on' } });
  await bench.run(sql`UPDATE recipients SET email = 'p' || id || '@example.test'`);
  await bench.plan();
  await bench.run(
    sql`UPDATE batches SET channel = 'sms', sender_id = (SELECT id FROM senders WHERE channel = 'sms' AND NOT drill) WHERE message_id = ${deps.ids.decode('msg', again.id)}`,
  );
  const late = carriers();
  await bench.work(late, 'ops');
  expect(late.calls).toEqual([]);
});
