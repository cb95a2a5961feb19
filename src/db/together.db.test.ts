import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { together, type Tx } from './database.ts';

let deps: TestDeps;
let tenantId: number;
beforeAll(async () => {
  deps = await createTestDeps();
  ({ tenantId } = await deps.tenant());
});
afterAll(() => deps.close());

const one = (tx: Tx, n: number) => async (): Promise<number> => {
  const { rows } = await sql<{ n: number }>`SELECT ${n}::int AS n`.execute(tx);
  return rows[0]?.n ?? 0;
};

test('results come in the order of the pieces, whatever each of them waits for', async () => {
  const results = await deps.db.withTenant(tenantId, (tx) =>
    together(
      tx,
      async () => (await one(tx, 1)()) + (await one(tx, 10)()),
      one(tx, 2),
      () => Promise.resolve('three'),
    ),
  );
  expect(results).toEqual([11, 2, 'three']);
});

test('the first refusal in order is thrown once every piece has ended, and nothing is left unhandled', async () => {
  const ended: string[] = [];
  const refused = deps.db.withTenant(tenantId, (tx) =>
    together(
      tx,
      async () => {
        await one(tx, 1)();
        await one(tx, 2)();
        throw new Error('approval is needed');
      },
      async () => {
        throw new Error('a question is asked');
      },
      async () => {
        await one(tx, 3)();
        ended.push('third');
      },
    ).finally(() => ended.push('together')),
  );
  await expect(refused).rejects.toThrow('approval is needed');
  expect(ended).toEqual(['third', 'together']);
});

test('the cause is thrown, not what PostgreSQL refuses because of it', async () => {
  const broken = deps.db.withTenant(tenantId, (tx) =>
    together(
      tx,
      async () => {
        await one(tx, 1)();
        // The second piece has failed by now, and its transaction with it.
        await one(tx, 2)();
      },
      () => sql`SELECT 1 / 0`.execute(tx),
    ),
  );
  await expect(broken).rejects.toMatchObject({ code: '22012' });
});

test('what is written together is committed together, or not at all', async () => {
  const rename = (tx: Tx, name: string) => () => tx.updateTable('tenants').set({ name }).where('tenant_id', '=', tenantId).execute();
  const name = () =>
    deps.db.withTenant(
      tenantId,
      async (tx) => (await tx.selectFrom('tenants').select('name').where('tenant_id', '=', tenantId).executeTakeFirstOrThrow()).name,
    );
  await deps.db.withTenant(tenantId, (tx) => together(tx, rename(tx, 'First'), one(tx, 1)));
  expect(await name()).toBe('First');
  await expect(
    deps.db.withTenant(tenantId, (tx) => together(tx, rename(tx, 'Second'), () => Promise.reject(new Error('no')))),
  ).rejects.toThrow('no');
  expect(await name()).toBe('First');
});
