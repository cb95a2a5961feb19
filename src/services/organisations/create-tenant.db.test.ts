import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

test('a tenant sees its own rows and none of another, and nobody sees any without a tenant', async () => {
  const one = await deps.tenant();
  const two = await deps.tenant();
  const count = (tenantId: number) => deps.db.withTenant(tenantId, (tx) => tx.selectFrom('senders').select('tenant_id').execute());
  expect(new Set((await count(one.tenantId)).map((s) => s.tenant_id))).toEqual(new Set([one.tenantId]));
  expect(await count(two.tenantId)).toHaveLength(6);
  expect(await deps.db.across.selectFrom('senders').selectAll().execute()).toEqual([]);
});
