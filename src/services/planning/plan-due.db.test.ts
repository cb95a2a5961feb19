import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { planDue } from './plan-due.ts';
import { FIRST_PAGE } from './plan-wave.ts';
import { sweep } from '#services/upkeep/sweep.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

test('a wave whose lane gives way is left after a page, and a later sweep plans the rest', async () => {
  const bench = await LaneByHand.open(deps);
  const { tenantId } = bench.ctx;
  await bench.people(6 * FIRST_PAGE);
  await bench.launch('bulk', { channels: ['sms'] });
  const wave = async () => {
    const row = await deps.db.withTenant(tenantId, (tx) =>
      tx.selectFrom('waves').select(['state', 'planned']).where('tenant_id', '=', tenantId).executeTakeFirstOrThrow(),
    );
    return [row.state, Number(row.planned)];
  };
  expect(await wave()).toEqual(['planning', FIRST_PAGE]);
  const asked: string[] = [];
  const gives = (way: boolean) => async () =>
    planDue(deps, (await sweep(deps)).waves, {
      beforePage: (lane) => {
        asked.push(lane);
        return Promise.resolve(way);
      },
    });
  await gives(false)();
  const [state, planned] = await wave();
  expect(state).toBe('planning');
  // Two hands take a page each.
  expect(planned).toBeLessThanOrEqual(3 * FIRST_PAGE);
  await gives(true)();
  expect(await wave()).toEqual(['planned', 6 * FIRST_PAGE]);
  expect(new Set(asked)).toEqual(new Set(['bulk']));
});

test('a launch plans a small audience to its end', async () => {
  const bench = await LaneByHand.open(deps);
  const { tenantId } = bench.ctx;
  await bench.people(1_000);
  await bench.launch('bulk', { channels: ['sms'] });
  const waves = await deps.db.withTenant(tenantId, (tx) =>
    tx.selectFrom('waves').select(['state', 'planned']).where('tenant_id', '=', tenantId).execute(),
  );
  expect(waves.map(({ state, planned }) => [state, Number(planned)])).toEqual([['planned', 1_000]]);
});
