import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import { ALL_SCOPES } from '#services/organisations/create-tenant.ts';
import type { Context } from '#services/context.ts';
import type { MessageView } from '#schemas/views.ts';
import { approveMessage } from '#services/messages/approve-message.ts';
import { changeMessage } from '#services/messages/change-message.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { apiOf } from '#testing/people-who-act.ts';

let deps: TestDeps;
let app: ReturnType<typeof createApp>;
beforeAll(async () => {
  deps = await createTestDeps();
  app = createApp(deps);
});
afterAll(() => deps.close());

let tenantId: number;
let apiKey: string;
beforeEach(async () => {
  ({ tenantId, apiKey } = await deps.tenant({ policy: { approvalAbove: { life: 1, ops: 1, bulk: 1 }, asksPrograms: false } }));
  for (const n of [1, 2, 3]) await createRecipient(deps.as(tenantId), { phone: `+1212555010${n}`, tags: n === 1 ? ['harbour'] : [] });
});

interface Changed extends MessageView {
  code: string;
  errors: { field: string; code: string }[];
}
const call = (method: string, path: string, body?: unknown, key = apiKey) => apiOf(app, key)<Changed>(method, `/messages${path}`, body);
const draft = async (more: object = {}): Promise<Changed> =>
  (await call('POST', '', { class: 'ops', title: 'Flood', text: { en: 'Come to the hall' }, audience: { all: true }, channels: ['sms'], ...more })).body;
const person = (userId: string): Context['actor'] => ({ label: `user:${userId}`, userId, scopes: new Set(ALL_SCOPES), mode: 'live' });

test('what is given is set, null clears, what is left out stays; the audience is counted anew and the change is on record', async () => {
  const made = await draft();
  const { status, body } = await call('PATCH', `/${made.id}`, {
    title: null,
    text: { de: 'Zur Halle' },
    audience: { tags: ['harbour'] },
    answers: [{ key: '1', label: 'Ja' }],
    share: true,
  });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    id: made.id,
    state: 'draft',
    class: 'ops',
    title: null,
    text: { de: 'Zur Halle' },
    fallbackLocale: 'de',
    share: true,
    plan: made.plan,
    answerOptions: [{ key: '1', label: 'Ja' }],
    audience: { expression: { tags: ['harbour'] }, count: 1 },
    times: { expiresAt: made.times.expiresAt },
  });
  expect(body.audience.hash).not.toBe(made.audience.hash);
  expect((await call('GET', `/${made.id}`)).body).toEqual(body);
  const log = await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('audit_log').select(['action', 'detail']).orderBy('seq').execute());
  expect(log.at(-1)).toEqual({
    action: 'message.change',
    detail: { fields: ['answers', 'audience', 'share', 'text', 'title'], approvalVoid: false },
  });
  // A change of nothing changes nothing and leaves no record.
  expect((await call('PATCH', `/${made.id}`, {})).body).toEqual(body);
  expect(await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('audit_log').select('seq').execute())).toHaveLength(log.length);
});

test('what would be refused of a new message is refused of a change, naming the field, and nothing is half-written', async () => {
  const made = await draft();
  const wrong: [object, string][] = [
    [{ colour: 'red' }, 'colour'],
    [{ drill: true }, 'drill'],
    [{ launch: true }, 'launch'],
    [{ text: {} }, 'text'],
    [{ text: { en: 'Hi {{nobody}}' } }, 'text.en'],
    [{ audience: { ids: ['rcp_no'] } }, 'audience.ids[0]'],
    [{ expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    [{ class: 'life', expiresAt: null }, 'expiresAt'],
  ];
  for (const [change, field] of wrong) {
    const { status, body } = await call('PATCH', `/${made.id}`, { title: 'Other', ...change });
    expect([status, body.errors.map((error) => error.field)]).toEqual([422, [field]]);
  }
  expect((await call('GET', `/${made.id}`)).body).toEqual(made);
});

test('a launched message, and one of another organisation, cannot be changed', async () => {
  const made = await draft({ audience: { tags: ['harbour'] }, launch: true });
  const refused = await call('PATCH', `/${made.id}`, { title: 'Other' });
  expect([refused.status, refused.body.code]).toEqual([409, 'not_a_draft']);
  const other = await deps.tenant();
  expect((await call('PATCH', `/${made.id}`, { title: 'Other' }, other.apiKey)).status).toBe(404);
  expect((await call('GET', `/${made.id}`)).body.title).toBe('Flood');
});

test('a change makes an approval void, and who changed the text cannot approve it', async () => {
  const { id } = await draft();
  await deps.db.withTenant(tenantId, (tx) => sql`UPDATE messages SET created_by = 'user:101' WHERE tenant_id = ${tenantId}`.execute(tx));
  const [second, third] = [deps.as(tenantId, person('102')), deps.as(tenantId, person('103'))];
  await approveMessage(second, id);
  await changeMessage(second, id, { text: { en: 'Go home' } });
  const launch = await call('POST', `/${id}/launch`, {});
  expect([launch.status, launch.body.code]).toEqual([409, 'approval_required']);
  await expect(approveMessage(second, id)).rejects.toMatchObject({ status: 403, code: 'author_cannot_approve' });
  await approveMessage(third, id);
  expect((await call('POST', `/${id}/launch`, {})).status).toBe(202);
});

test('a change and a launch at once: the message that goes is the one that was changed, or the change is refused', async () => {
  for (let i = 0; i < 8; i++) {
    const { id } = await draft({ audience: { tags: ['harbour'] } });
    const [changed, launched] = await Promise.all([call('PATCH', `/${id}`, { title: 'Other' }), call('POST', `/${id}/launch`, {})]);
    expect(launched.status).toBe(202);
    expect([changed.status, launched.body.title]).toEqual(changed.status === 200 ? [200, 'Other'] : [409, 'Flood']);
  }
});

test('of two who change one draft, the second is told, and what the first wrote stays', async () => {
  const send = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.request(`/v1/messages${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const made = await send('POST', '', { class: 'ops', text: { en: 'Come' }, audience: { all: true }, channels: ['sms'] });
  const { id } = (await made.json()) as Changed;
  const etag = made.headers.get('etag') ?? '';
  expect(etag).toMatch(/^"[\w-]{22}"$/);
  expect((await send('GET', `/${id}`)).headers.get('etag')).toBe(etag);
  const first = await send('PATCH', `/${id}`, { text: { en: 'Come to the hall' } }, { 'if-match': etag });
  const second = first.headers.get('etag');
  expect([first.status, second === etag]).toEqual([200, false]);

  const late = await send('PATCH', `/${id}`, { title: 'Flood' }, { 'if-match': etag });
  expect([late.status, await late.json(), late.headers.get('etag')]).toMatchObject([412, { code: 'draft_changed', etag: second }, second]);
  expect((await send('PATCH', `/${id}`, { title: 'Flood' }, { 'if-match': `W/${second}` })).status).toBe(412);
  const shown = (await (await send('GET', `/${id}`)).json()) as Changed;
  expect([shown.title, shown.text]).toEqual([null, { en: 'Come to the hall' }]);

  expect((await send('PATCH', `/${id}`, { title: 'Flood' }, { 'if-match': `${etag}, ${second}` })).status).toBe(200);
  expect((await send('PATCH', `/${id}`, { title: 'Dike' }, { 'if-match': '*' })).status).toBe(200);
  expect((await send('PATCH', `/${id}`, { title: null })).status).toBe(200);
  // The same words have the same tag, whatever happened in between.
  expect((await send('GET', `/${id}`)).headers.get('etag')).toBe(second);
});

test('changes at the same moment from the same draft: one is made', async () => {
  const made = await draft();
  const etag = (await app.request(`/v1/messages/${made.id}`, { headers: { authorization: `Bearer ${apiKey}` } })).headers.get('etag') ?? '';
  const titles = ['One', 'Two', 'Three', 'Four', 'Five'];
  const change = (title: string) =>
    app.request(`/v1/messages/${made.id}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', 'if-match': etag },
      body: JSON.stringify({ title }),
    });
  const statuses = await Promise.all(titles.map(async (title) => (await change(title)).status));
  expect(statuses.sort((a, b) => a - b)).toEqual([200, 412, 412, 412, 412]);
});
