import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import type { Context } from '#services/context.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { eraseRecipient } from '#services/recipients/erase-recipient.ts';
import { importRecipients } from './import-recipients.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps({ MUSTER_DATA: '.muster/test-import-unknown' });
});
afterAll(() => deps.close());

const newTenant = async (): Promise<Context> => deps.as((await deps.tenant()).tenantId);
const phone = (i: number): string => `+1415555${String(i).padStart(4, '0')}`;
const row = (i: number, tags = 'a;b'): string => `p${i},"Lee, ""Ann"" ${i}",${phone(i)},${tags}`;
/** Four batches and a half: after the first one, people are inserted without a look-up. */
const MANY = 9_000;

async function load(ctx: Context, rows: readonly string[]) {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(Buffer.from(`external_id,name,phone,tags\n${rows.join('\n')}\n`));
  }
  return importRecipients(ctx, bytes(), { format: 'csv' });
}
const people = (ctx: Context) =>
  ctx.db.withTenant(ctx.tenantId, (tx) =>
    tx
      .selectFrom('recipients')
      .select(['id', 'external_id', 'name', 'phone', 'tags'])
      .where('tenant_id', '=', ctx.tenantId)
      .where('erased_at', 'is', null)
      .orderBy('id')
      .execute(),
  );
const all = Array.from({ length: MANY }, (_, i) => row(i));

test('who is unknown is inserted without a look-up, exactly as written, and the same file again changes nothing', async () => {
  const ctx = await newTenant();
  expect(await load(ctx, all)).toMatchObject({ rows: MANY, created: MANY, merged: 0, rejected: 0 });
  const stored = await people(ctx);
  expect(new Set(stored.map((person) => person.phone)).size).toBe(MANY);
  const last = stored.find((person) => person.external_id === `p${MANY - 1}`);
  expect(last).toMatchObject({ name: `Lee, "Ann" ${MANY - 1}`, phone: phone(MANY - 1), tags: ['a', 'b'] });
  expect(await load(ctx, all)).toMatchObject({ rows: MANY, created: 0, unchanged: MANY });
});

test('a batch that names somebody after all is planned anew: stored people are updated, repeats in the file are merged', async () => {
  const ctx = await newTenant();
  await createRecipient(ctx, { externalId: 'p5000', name: 'Old', phone: phone(5_000) });
  const rows = [...all];
  // This is a second row of a person of the first batch, far behind it.
  rows[7_000] = row(3, 'c');
  const result = await load(ctx, rows);
  expect(result).toMatchObject({ rows: MANY, created: MANY - 2, updated: 1, merged: 1, rejected: 0 });
  const stored = await people(ctx);
  expect(stored).toHaveLength(MANY - 1);
  expect(stored.find((person) => person.external_id === 'p5000')?.name).toBe('Lee, "Ann" 5000');
  expect(stored.find((person) => person.external_id === 'p3')?.tags).toEqual(['a', 'b', 'c']);
});

test('bad rows keep their line, and an erased person stays away, in every batch', async () => {
  const ctx = await newTenant();
  const gone = await createRecipient(ctx, { externalId: 'p8500', phone: phone(8_500) });
  await eraseRecipient(ctx, gone.id);
  const rows = [...all];
  rows[6_500] = 'p6500,Bad,12,';
  const result = await load(ctx, rows);
  expect(result).toMatchObject({ rows: MANY, created: MANY - 2, rejected: 2 });
  expect(result.errors.map(({ line, field, code }) => [line, field, code])).toEqual([
    [6_502, 'phone', 'bad_phone'],
    [8_502, 'external_id', 'erased'],
  ]);
});
