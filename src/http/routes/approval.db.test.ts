import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import type { MessageView } from '#schemas/views.ts';
import { carriers } from '#testing/carriers.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addRecipients } from '#testing/people.ts';
import { addColleague, addKeyOf, apiOf } from '#testing/people-who-act.ts';

/** Guards 2, 3 and 5 at the API: who may send to how many, and who may say so. */
let deps: TestDeps;
let app: ReturnType<typeof createApp>;
beforeAll(async () => {
  deps = await createTestDeps();
  app = createApp(deps);
});
afterAll(() => deps.close());

/** Makes a tenant with so many people, an author and a colleague. */
async function office(people: number, policy: Record<string, unknown> = {}) {
  const { tenantId, apiKey, userId } = await deps.tenant({ policy });
  await addRecipients(deps, tenantId, people);
  const colleague = await addColleague(deps, tenantId, `colleague-${tenantId}@example.test`);
  return { tenantId, userId, author: apiOf(app, apiKey), colleague: apiOf(app, colleague.apiKey) };
}

let texts = 0;
const draft = (messageClass: string, ids?: string[]) => ({
  class: messageClass,
  text: { en: `Come to the hall, ${++texts}` },
  audience: ids ? { ids } : { all: true },
  channels: ['sms'],
  expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
});
const made = async (api: ReturnType<typeof apiOf>, input: object) => (await api<MessageView>('POST', '/messages', input)).body;

test('above the limit of its class a second person must approve; the author cannot, not through another key either', async () => {
  const { tenantId, userId, author, colleague } = await office(101);
  const message = await made(author, draft('life'));
  const launch = (api: typeof author) => api('POST', `/messages/${message.id}/launch`);
  expect(await launch(author)).toMatchObject({ status: 409, body: { code: 'approval_required', rule: 'above_limit', limit: 100, count: 101 } });
  // Nor may a colleague launch it without having approved it.
  expect(await launch(colleague)).toMatchObject({ status: 409, body: { code: 'approval_required' } });
  const approve = (api: typeof author) => api('POST', `/messages/${message.id}/approve`);
  const other = apiOf(app, await addKeyOf(deps, tenantId, userId));
  for (const own of [author, other]) expect(await approve(own)).toMatchObject({ status: 403, body: { code: 'author_cannot_approve' } });
  expect(await launch(author)).toMatchObject({ status: 409 });
  expect((await approve(colleague)).status).toBe(200);
  expect(await launch(author)).toMatchObject({ status: 202, body: { state: 'live' } });
});

test('an approval is for the people of that moment', async () => {
  const { tenantId, author, colleague } = await office(101);
  const message = await made(author, draft('life'));
  expect((await colleague('POST', `/messages/${message.id}/approve`, { audienceHash: '1' })).body).toMatchObject({ code: 'audience_changed' });
  expect((await colleague('POST', `/messages/${message.id}/approve`, { audienceHash: message.audience.hash })).status).toBe(200);
  await addRecipients(deps, tenantId, 1);
  const refused = await author('POST', `/messages/${message.id}/launch`);
  expect(refused).toMatchObject({ status: 409, body: { code: 'audience_changed', count: 102 } });
  expect((await colleague('POST', `/messages/${message.id}/approve`)).status).toBe(200);
  expect((await author('POST', `/messages/${message.id}/launch`)).status).toBe(202);
});

test('more than twice the largest message so far needs a second person, below every limit', async () => {
  const { tenantId, author, colleague } = await office(1, { approvalAbove: { life: null, ops: null, bulk: null } });
  const lane = new LaneByHand(deps, deps.as(tenantId));
  const people = (await addRecipients(deps, tenantId, 450)).map((id) => deps.ids.encode('rcp', id));
  const send = (n: number, change: object = {}) => author('POST', '/messages', { ...draft('life', people.slice(0, n)), launch: true, ...change });
  const doubling = (limit: number) => ({ status: 409, body: { code: 'approval_required', rule: 'doubling', limit } });
  // 100 stands for the largest until a larger one was sent.
  expect(await send(201)).toMatchObject(doubling(200));
  // One that was stopped before anybody was called is no measure.
  const stopped = await send(200);
  expect((await author('POST', `/messages/${(stopped.body as unknown as MessageView).id}/stop`)).status).toBe(200);
  expect(await send(201)).toMatchObject(doubling(200));
  expect((await send(200)).status).toBe(201);
  expect(await send(401)).toMatchObject(doubling(200));
  await lane.work(carriers(), 'life');
  expect(await send(401)).toMatchObject(doubling(400));
  // Neither a draft nor a drill is a measure.
  const large = await made(author, draft('life', people));
  expect((await send(400, { drill: true })).status).toBe(201);
  expect(await send(401)).toMatchObject(doubling(400));
  expect(await author('POST', `/messages/${large.id}/launch`)).toMatchObject(doubling(400));
  expect((await colleague('POST', `/messages/${large.id}/approve`)).status).toBe(200);
  expect((await author('POST', `/messages/${large.id}/launch`)).status).toBe(202);
  await lane.work(carriers(), 'life');
  expect((await send(401)).status).toBe(201);
});

test('the rules are settings of the organisation: an administrator changes them, part by part, and the change is on record', async () => {
  const { tenantId, author, colleague } = await office(150);
  expect((await author('GET', '/settings')).body).toMatchObject({ approvalAbove: { life: 100, ops: 1_000, bulk: 10_000 }, doubling: true });
  expect(await author('PATCH', '/settings', { approvalAbove: { life: -1 } })).toMatchObject({
    status: 422,
    body: { errors: [{ field: 'approvalAbove.life' }] },
  });
  const changed = await author('PATCH', '/settings', { approvalAbove: { life: null }, doubling: false, quietHours: { from: '21:00', to: '08:00' } });
  expect(changed).toMatchObject({ status: 200, body: { approvalAbove: { life: null, ops: 1_000, bulk: 10_000 }, doubling: false } });
  expect((await author('PATCH', '/settings', { approvalAbove: { ops: 5 } })).body).toMatchObject({
    approvalAbove: { life: null, ops: 5, bulk: 10_000 },
    doubling: false,
    quietHours: { from: '21:00', to: '08:00' },
  });
  expect((await author('POST', '/messages', { ...draft('life'), launch: true })).status).toBe(201);
  expect((await colleague('POST', '/messages', { ...draft('ops'), launch: true })).body).toMatchObject({ code: 'approval_required', limit: 5 });
  const { rows } = await deps.db.withTenant(tenantId, (tx) =>
    sql<{ detail: unknown }>`SELECT detail FROM audit_log WHERE action = 'tenant.change' ORDER BY seq`.execute(tx),
  );
  expect(rows.map((row) => row.detail)).toEqual([
    { approvalAbove: { life: null }, doubling: false, quietHours: { from: '21:00', to: '08:00' } },
    { approvalAbove: { ops: 5 } },
  ]);
});
