import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '#db/database.ts';
import { Bench, carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { warmUpDelivery } from './warm-up-delivery.ts';
import { SendPlans } from './send-plan.ts';

let deps: TestDeps;
/** As a worker opens it for a lane. */
let db: Database;
beforeAll(async () => {
  deps = await createTestDeps();
  db = openDatabase({ url: deps.databaseUrl, role: 'muster_worker', max: 9, name: 'lane', log: deps.log, keysOnly: true });
});
afterAll(async () => {
  await db.close();
  await deps.close();
});

/** Statements that have a plan on the two connections that the pool keeps. */
async function plannedOn(pool: Database): Promise<string[][]> {
  const clients = await Promise.all([pool.connect(), pool.connect()]);
  const found = await Promise.all(
    clients.map((one) => one.query<{ name: string }>('SELECT name FROM pg_prepared_statements WHERE generic_plans > 0 ORDER BY name')),
  );
  for (const client of clients) client.release();
  return found.map(({ rows }) => rows.map(({ name }) => name));
}

test('the first message finds every statement planned on both connections, and nobody is called before', async () => {
  const bench = await Bench.open(deps);
  await bench.people(20);
  await bench.launch('life');
  await bench.plan();
  const carrier = carriers();
  await warmUpDelivery(db, new SendPlans({ ...deps, db }, carrier.channels), 'life');
  const [first = [], second = []] = await plannedOn(db);
  expect(first).toContain('mark_first_sms');
  expect(second).toEqual(first);
  expect(carrier.calls).toEqual([]);
  const claimed = await deps.db.across.selectFrom('batches').select('id').where('state', '<>', 'planned').execute();
  expect(claimed).toEqual([]);

  await new Bench({ ...deps, db }, bench.ctx).work(carrier, 'life');
  expect(carrier.calls).toHaveLength(40);
  for (const names of await plannedOn(db)) expect(first).toEqual(expect.arrayContaining(names));
});
