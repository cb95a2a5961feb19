import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { prepared } from './prepared.ts';

let deps: TestDeps;
let tenantId: number;
beforeAll(async () => {
  deps = await createTestDeps();
  ({ tenantId } = await deps.tenant());
});
afterAll(() => deps.close());

const rename = prepared<{ name: string }, { name: string }>(
  'rename',
  (at) => sql`UPDATE tenants SET name = ${at('name')} WHERE tenant_id = app_tenant() RETURNING name`,
);
const divide = prepared<{ n: number }, { value: number; tenant: string }>(
  'divide',
  (at) => sql`SELECT 10 / ${at('n')}::int AS value, current_setting('app.tenant') AS tenant`,
);
const nameOf = () =>
  deps.db.withTenant(tenantId, (tx) => tx.selectFrom('tenants').select('name').where('tenant_id', '=', tenantId).executeTakeFirst());

test('statements of one packet are one transaction of the tenant, and each has its own rows', async () => {
  const [renamed, divided] = await deps.db.atOnce(tenantId, (tx) =>
    Promise.all([rename(tx, { name: 'Ümlaut "quoted"' }), divide(tx, { n: 2 })]),
  );
  expect(renamed).toEqual([{ name: 'Ümlaut "quoted"' }]);
  expect(divided).toEqual([{ value: 5, tenant: String(tenantId) }]);
  expect(await nameOf()).toEqual({ name: 'Ümlaut "quoted"' });
});

test('one that is refused takes all the others back, also those before it, and the next transaction works', async () => {
  await deps.db.atOnce(tenantId, (tx) => rename(tx, { name: 'Before' }));
  for (let i = 0; i < 20; i++)
    await expect(
      deps.db.atOnce(tenantId, (tx) => Promise.all([rename(tx, { name: 'Lost' }), divide(tx, { n: 0 }), rename(tx, { name: 'Never' })])),
    ).rejects.toThrow('division by zero');
  expect(await nameOf()).toEqual({ name: 'Before' });
  const again = await Promise.all(Array.from({ length: 20 }, () => deps.db.atOnce(tenantId, (tx) => divide(tx, { n: 1 }))));
  expect(again.flat().map(({ value }) => value)).toEqual(Array.from({ length: 20 }, () => 10));
});

test('the tenant ends with its packet', async () => {
  await Promise.all(Array.from({ length: 8 }, () => deps.db.atOnce(tenantId, (tx) => divide(tx, { n: 1 }))));
  const seen = await Promise.all(Array.from({ length: 8 }, () => deps.db.across.selectFrom('tenants').select('tenant_id').execute()));
  expect(seen.flat()).toEqual([]);
});

test('what is sent after something was awaited is refused, and what was sent before is committed', async () => {
  const late = deps.db.atOnce(tenantId, async (tx) => {
    await rename(tx, { name: 'In time' });
    return rename(tx, { name: 'Late' });
  });
  await expect(late).rejects.toThrow('before anything is awaited');
  expect(await nameOf()).toEqual({ name: 'In time' });
});

test('values are written as they are one by one', async () => {
  const given = {
    bytes: Buffer.from([0, 255, 92]),
    at: new Date('2026-11-23T05:00:00.123Z'),
    list: ['a', null, 'b "c" \\'],
    yes: true,
    none: undefined,
    n: 7,
  };
  const values = prepared<typeof given, Record<string, unknown>>(
    'values',
    (at) => sql`
      SELECT encode(${at('bytes')}::bytea, 'hex') AS bytes, ${at('at')}::timestamptz AS at, ${at('list')}::text[] AS list,
        ${at('yes')}::boolean AS yes, ${at('none')}::text AS none, ${at('n')}::int AS n`,
  );
  const packed = await deps.db.atOnce(tenantId, (tx) => values(tx, given));
  expect(packed).toEqual([{ ...given, bytes: '00ff5c', none: null }]);
  expect(packed).toEqual(await deps.db.withTenant(tenantId, (tx) => values(tx, given)));
});

test('a value that cannot be written is refused before anything is sent', async () => {
  const odd = prepared<{ value: unknown }, unknown>('odd', (at) => sql`SELECT ${at('value')}::text`);
  const value: { self?: unknown } = {};
  value.self = value;
  await expect(deps.db.atOnce(tenantId, (tx) => Promise.all([rename(tx, { name: 'Never' }), odd(tx, { value })]))).rejects.toThrow(
    'circular',
  );
  expect(await nameOf()).not.toEqual({ name: 'Never' });
});
