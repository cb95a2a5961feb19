import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { warmUpLaunch } from './warm-up-launch.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

/** By name, on the two connections that a pool keeps. */
async function known(): Promise<string[][]> {
  const clients = await Promise.all([deps.db.connect(), deps.db.connect()]);
  const found = await Promise.all(
    clients.map((one) => one.query<{ name: string }>('SELECT name FROM pg_prepared_statements ORDER BY name')),
  );
  for (const client of clients) client.release();
  return found.map(({ rows }) => rows.map(({ name }) => name));
}

test('the first launch finds its statements on both connections; the warm-up writes and nudges nothing', async () => {
  await warmUpLaunch(deps);
  const [first = [], second = []] = await known();
  expect(first).toEqual(expect.arrayContaining(['launch_facts', 'set_repeat_code', 'delivery_partition', 'message_counts']));
  expect(second).toEqual(first);
  expect(deps.nudges).toEqual([]);

  const bench = await LaneByHand.open(deps);
  await bench.people(3);
  const view = await bench.launch('life');
  expect(view.state).toBe('live');
  for (const names of await known()) expect(first).toEqual(expect.arrayContaining(names));
  // No id was given away: the first message of the installation has the first.
  expect(await deps.db.withTenant(bench.ctx.tenantId, (tx) => tx.selectFrom('messages').select('id').execute())).toEqual([{ id: '1' }]);
  expect(await deps.db.withTenant(bench.ctx.tenantId, (tx) => tx.selectFrom('waves').select('id').execute())).toEqual([{ id: '1' }]);
});
