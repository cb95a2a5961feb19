import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { type Database, openDatabase } from './database.ts';
import { prepared } from './prepared.ts';

let deps: TestDeps;
let tenantId: number;
let db: Database;
beforeAll(async () => {
  deps = await createTestDeps();
  ({ tenantId } = await deps.tenant({ name: 'Before' }));
});
afterAll(() => deps.close());
beforeEach(() => {
  db = openDatabase({ url: deps.databaseUrl, role: 'muster_api', max: 8, name: 'warming-up', log: deps.log });
});
afterEach(() => db.close());

const rename = prepared<{ name: string; tenantId: number }, { name: string }>(
  'rename',
  (at) => sql`UPDATE tenants SET name = ${at('name')} WHERE tenant_id = ${at('tenantId')} RETURNING name`,
);
const broken = prepared<object, unknown>('broken', () => sql`SELECT nothing FROM nowhere`);
const fails = prepared<{ n: number }, unknown>('fails', (at) => sql`SELECT 1 / (random() * ${at('n')}::int)::int`);

const connections = async (): Promise<number> => {
  const { rows } = await sql<{ n: number }>`
    SELECT count(*)::int AS n
    FROM pg_stat_activity
    WHERE application_name = 'warming-up'
      AND datname = current_database()`.execute(deps.db.across);
  return rows[0]?.n ?? 0;
};

test('nothing of a warm-up is executed, neither what is prepared nor what Kysely sends', async () => {
  const answers: unknown[] = [];
  await db.warmUp(async (tx) => {
    answers.push(
      ...(await Promise.all([
        rename(tx, { name: 'Prepared', tenantId }),
        fails(tx, { n: 0 }),
        tx.updateTable('tenants').set({ name: 'Kysely' }).where('tenant_id', '=', tenantId).returning('name').execute(),
        tx.selectFrom('tenants').select('name').execute(),
      ])),
    );
  });
  expect(answers).toEqual([[], [], [], [], [], [], [], []]);
  const name = (tx: Parameters<Parameters<Database['withTenant']>[1]>[0]) =>
    tx.selectFrom('tenants').select('name').where('tenant_id', '=', tenantId).execute();
  expect(await db.withTenant(tenantId, name)).toEqual([{ name: 'Before' }]);
  await expect(db.atOnce(tenantId, (tx) => fails(tx, { n: 0 }))).rejects.toThrow('division by zero');
});

test('both connections that are kept are open afterwards, and know the statements', async () => {
  await db.warmUp((tx) => rename(tx, { name: 'Never', tenantId }));
  expect(await connections()).toBe(2);
  const clients = await Promise.all([db.connect(), db.connect()]);
  for (const client of clients) {
    const { rows } = await client.query<{ name: string }>('SELECT name FROM pg_prepared_statements ORDER BY name');
    client.release();
    expect(rows).toEqual([{ name: 'rename' }, { name: 'set_tenant' }]);
  }
  expect(await db.atOnce(tenantId, (tx) => rename(tx, { name: 'Before', tenantId }))).toEqual([{ name: 'Before' }]);
});

test('what fails for want of rows does not matter; what the server refuses is told, and its connections are given up', async () => {
  await db.warmUp((tx) => tx.selectFrom('tenants').select('name').executeTakeFirstOrThrow());
  await expect(db.warmUp((tx) => Promise.all([rename(tx, { name: 'Never', tenantId }), broken(tx, {})]))).rejects.toThrow('nowhere');
  await expect.poll(connections).toBe(0);
  expect(await db.atOnce(tenantId, (tx) => rename(tx, { name: 'Before', tenantId }))).toEqual([{ name: 'Before' }]);
});
