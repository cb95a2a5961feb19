import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

let deps: TestDeps;
let app: ReturnType<typeof createApp>;
let apiKey: string;
let messageId: string;
let recipientId: string;
beforeAll(async () => {
  deps = await createTestDeps();
  app = createApp(deps);
  const tenant = await deps.tenant();
  ({ apiKey } = tenant);
  const bench = new LaneByHand(deps, deps.as(tenant.tenantId));
  await bench.people(1, { phone: true });
  const person = await deps.db.withTenant(tenant.tenantId, (tx) => tx.selectFrom('recipients').select('id').executeTakeFirstOrThrow());
  recipientId = deps.ids.encode('rcp', person.id);
  messageId = (await bench.launch('ops', { channels: ['sms'] })).id;
});
afterAll(() => deps.close());

const get = (path: string, cursor: string) =>
  app.request(`/v1${path}?cursor=${encodeURIComponent(cursor)}`, { headers: { authorization: `Bearer ${apiKey}` } });
const sealed = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const LISTS: [path: string, good: () => string, bad: () => string[]][] = [
  ['/messages', () => messageId, () => [recipientId]],
  ['/recipients', () => recipientId, () => [messageId]],
  ['/imports', () => deps.ids.encode('imp', 1), () => [messageId]],
  ['/texts', () => deps.ids.encode('inb', 1), () => [messageId]],
  ['/suppressions', () => sealed([1, '+15550001111']), () => [sealed([1]), sealed(['1', 'a']), sealed([3_000_000_000, 'a']), sealed(null)]],
  ['/messages/{id}/answers', () => `1800000000000000.${recipientId}`, () => [recipientId, `x.${recipientId}`, '1800000000000000.x']],
  ['/messages/{id}/spread', () => `1800000000000000.${recipientId}`, () => [recipientId, `-1.${recipientId}`]],
  [
    '/messages/{id}/deliveries',
    () => `${recipientId}.sms.0`,
    () => [recipientId, `${recipientId}.fax.0`, `${recipientId}.sms.-1`, `${recipientId}.sms.32768`, 'x.sms.0'],
  ],
];

test.each(LISTS)('%s goes on from a cursor that it gave out, and refuses any other', async (list, good, bad) => {
  const path = list.replace('{id}', messageId);
  expect((await get(path, good())).status).toBe(200);
  for (const cursor of ['', 'nonsense', '…', ...bad()]) {
    const response = await get(path, cursor);
    expect([cursor, response.status, ((await response.json()) as { code: string }).code]).toEqual([cursor, 422, 'invalid_cursor']);
  }
});
