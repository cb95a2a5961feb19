import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MessageView } from '#schemas/views.ts';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { approveMessage } from './approve-message.ts';
import { getMessage } from './get-message.ts';
import { launchMessage } from './launch-message.ts';
import { planDue } from '#services/planning/plan-due.ts';
import { startScheduled } from './start-scheduled.ts';
import { sweep } from '#services/upkeep/sweep.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const numbers = async (bench: LaneByHand, statement: ReturnType<typeof sql>) =>
  (await bench.run(statement)).map((row) => Number((row as { n: string }).n));
const inMinutes = (minutes: number) => new Date(deps.clock.now() + minutes * 60_000).toISOString();
const soon = () => ({ startAt: inMinutes(10), expiresAt: inMinutes(120), channels: ['sms'] });

/** Their time has come. */
const due = (bench: LaneByHand, back = '1 second') =>
  bench.run(sql`UPDATE messages SET start_at = now() - ${back}::interval WHERE state = 'scheduled'`);
const scheduled = (bench: LaneByHand, extra: Record<string, unknown> = {}): Promise<MessageView> =>
  bench.launch('ops', { ...soon(), ...extra });

test('350 starts of one moment, five that sweep: each begins once, is planned once, calls everybody once, and the record is whole', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(2, { phone: true });
  for (let i = 0; i < 350; i++) await scheduled(bench, { text: { en: `Round ${i}` } });
  await due(bench);
  const found = await Promise.all(Array.from({ length: 5 }, () => sweep(deps)));
  const waves = found.flatMap((one) => one.waves);
  expect(new Set(waves.map((wave) => wave.waveId)).size).toBe(350);
  const woken: string[] = [];
  const left = await Promise.all(found.map((one) => planDue(deps, one.waves, { wake: (lane) => woken.push(lane) })));
  expect(new Set(woken)).toEqual(new Set(['ops']));
  expect(left.flat()).toHaveLength(350);
  expect(await numbers(bench, sql`SELECT count(*) AS n FROM batches`)).toEqual([350]);
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  expect(carrier.calls).toHaveLength(700);
  expect(new Set(carrier.calls.map((call) => call.ref)).size).toBe(700);
  expect(await numbers(bench, sql`SELECT count(*) AS n FROM messages WHERE state = 'completed' AND launched_at >= start_at`)).toEqual([
    350,
  ]);
  expect(
    await numbers(bench, sql`SELECT count(*) AS n FROM audit_log WHERE action = 'message.launch' AND (detail ->> 'scheduled')::boolean`),
  ).toEqual([350]);
  expect(
    await numbers(
      bench,
      sql`SELECT count(*) AS n FROM audit_log a JOIN audit_log b ON b.seq = a.seq + 1 WHERE b.prev_hash = a.hash UNION ALL SELECT max(seq) - 1 FROM audit_log`,
    ),
  ).toEqual([1_051, 1_051]);
});

describe('a scheduled start goes back to a person', () => {
  test('when it was missed by long', async () => {
    const bench = await LaneByHand.open(deps);
    await bench.people(3, { phone: true });
    const message = await scheduled(bench);
    await due(bench, '1 hour');
    expect(await startScheduled(deps, bench.ctx.tenantId)).toEqual([]);
    expect(await getMessage(bench.ctx, message.id)).toMatchObject({
      state: 'draft',
      returned: 'missed_start',
      times: { launchedAt: null },
    });
    expect(await launchMessage(bench.ctx, message.id)).toMatchObject({ state: 'live', returned: null });
  });

  test('when nobody is left', async () => {
    const bench = await LaneByHand.open(deps);
    await bench.people(3, { phone: true });
    const message = await scheduled(bench, { audience: { not: { tags: ['gone'] } } });
    await bench.run(sql`UPDATE recipients SET tags = '{gone}'`);
    await due(bench);
    await sweep(deps);
    expect(await getMessage(bench.ctx, message.id)).toMatchObject({ state: 'draft', returned: 'empty_audience' });
  });

  test('when its people are no longer those that a second person approved', async () => {
    const bench = await LaneByHand.open(deps, { approvalAbove: { ops: 4 }, doubling: false });
    const { ctx } = bench;
    await bench.people(9, { phone: true });
    await bench.run(sql`UPDATE recipients SET tags = '{crew}' WHERE name < 'Person 6'`);
    const rows = await bench.run(sql`SELECT id FROM users`);
    const second = { ...ctx, actor: { ...ctx.actor, label: 'user:second', userId: `${(rows[0] as { id: string }).id}` } };
    const approved = async () => {
      const draft = await bench.launch('ops', { ...soon(), launch: false, audience: { tags: ['crew'] } });
      await approveMessage(second, draft.id, {});
      return launchMessage(ctx, draft.id);
    };
    const [same, changed] = [await approved(), await approved()];
    await due(bench);
    await bench.run(sql`UPDATE messages SET start_at = start_at + interval '1 hour' WHERE id = ${deps.ids.decode('msg', changed.id)}`);
    await sweep(deps);
    expect(await getMessage(ctx, same.id)).toMatchObject({ state: 'live', audience: { count: 5 } });
    // As many as before, and not the same.
    await bench.run(
      sql`UPDATE recipients SET tags = CASE WHEN name = 'Person 1' THEN '{}'::text[] WHEN name = 'Person 6' THEN '{crew}' ELSE tags END`,
    );
    await due(bench);
    await sweep(deps);
    expect(await getMessage(ctx, changed.id)).toMatchObject({ state: 'draft', returned: 'audience_changed' });
    await expect(launchMessage(ctx, changed.id)).rejects.toMatchObject({ code: 'audience_changed' });
  });

  test('when its people have become so many that a second person must approve', async () => {
    const bench = await LaneByHand.open(deps, { approvalAbove: { ops: 4 }, doubling: false });
    await bench.people(9, { phone: true });
    await bench.run(sql`UPDATE recipients SET tags = '{crew}' WHERE name > 'Person 6'`);
    const message = await scheduled(bench, { audience: { tags: ['crew'] } });
    await bench.run(sql`UPDATE recipients SET tags = '{crew}'`);
    await due(bench);
    await sweep(deps);
    expect(await getMessage(bench.ctx, message.id)).toMatchObject({ state: 'draft', returned: 'audience_changed' });
  });
});

test('people who are fewer at the start, or a few more, need no new decision where none was needed', async () => {
  const bench = await LaneByHand.open(deps, { approvalAbove: { ops: 8 }, doubling: false });
  await bench.people(6, { phone: true });
  await bench.run(sql`UPDATE recipients SET tags = '{crew}' WHERE name > 'Person 3'`);
  const [more, fewer] = [
    await scheduled(bench, { audience: { tags: ['crew'] } }),
    await scheduled(bench, { audience: { not: { tags: ['crew'] } } }),
  ];
  await bench.run(sql`UPDATE recipients SET tags = '{crew}' WHERE name <> 'Person 1'`);
  // Who was written afterwards belongs to no message that was decided before.
  await bench.people(3, { phone: true }, 100);
  await bench.run(sql`UPDATE recipients SET tags = '{crew}' WHERE name LIKE 'Person 10_'`);
  await due(bench);
  await bench.work(carriers(), 'ops');
  expect(await getMessage(bench.ctx, more.id)).toMatchObject({ state: 'completed', audience: { count: 5 }, deliveries: { accepted: 5 } });
  expect(await getMessage(bench.ctx, fewer.id)).toMatchObject({ state: 'completed', audience: { count: 1 }, deliveries: { accepted: 1 } });
});

test('one wave that cannot be planned does not hold the others', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(2, { phone: true });
  const channels = { plan: [{ channels: ['sms'], afterSeconds: 30 }] };
  const [broken, sound] = [await bench.launch('ops', { channels }), await bench.launch('ops', { channels })];
  await bench.makeDue();
  const id = deps.ids.decode('msg', broken.id) ?? '';
  await bench.run(sql`UPDATE messages SET audience = '{"within": {"coordinates": "nowhere"}}' WHERE id = ${id}`);
  await planDue(deps, (await sweep(deps)).waves);
  expect(await numbers(bench, sql`SELECT message_id AS n FROM batches ORDER BY 1`)).toEqual([Number(deps.ids.decode('msg', sound.id))]);
  await bench.run(sql`UPDATE messages SET audience = '{"all": true}' WHERE id = ${id}`);
  await planDue(deps, (await sweep(deps)).waves);
  expect(await numbers(bench, sql`SELECT count(*) AS n FROM batches`)).toEqual([2]);
});
