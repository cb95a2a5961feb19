import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import { PROBLEM_TYPE, type ProblemBody } from '#http/problem.ts';
import type { MessageView, Page } from '#schemas/views.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { requestsOf } from '#testing/people-who-act.ts';

let deps: TestDeps;
let app: ReturnType<typeof createApp>;
let apiKey: string;
let tenantId: number;

const ready = { class: 'ops', text: { en: 'Come to the hall' }, audience: { all: true }, channels: ['sms'] };

beforeAll(async () => {
  deps = await createTestDeps();
  ({ apiKey, tenantId } = await deps.tenant({ policy: { asksPrograms: false } }));
  app = createApp(deps);
  await deps.db.withTenant(tenantId, (tx) =>
    tx
      .insertInto('recipients')
      .values([1, 2, 3].map((i) => ({ tenant_id: tenantId, name: `=1+${i}`, phone: `+1555020000${i}` })))
      .execute(),
  );
});
afterAll(() => deps.close());

const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}, key = apiKey) =>
  requestsOf(app, key)(method, path, body, headers);
const view = async (response: Response) => (await response.json()) as MessageView;
const problem = async (response: Response) => {
  expect(response.headers.get('content-type')).toBe(PROBLEM_TYPE);
  return (await response.json()) as ProblemBody;
};

test('a message is written, read, launched once and listed', async () => {
  const made = await call('POST', '/messages', ready);
  expect(made.status).toBe(201);
  const draft = await view(made);
  expect(made.headers.get('location')).toBe(`/v1/messages/${draft.id}`);
  expect(draft).toMatchObject({ state: 'draft', audience: { count: 3 } });
  expect(await view(await call('GET', `/messages/${draft.id}`))).toEqual(draft);

  const wrongHash = await call('POST', `/messages/${draft.id}/launch`, { audienceHash: '1' });
  expect([wrongHash.status, (await problem(wrongHash)).code]).toEqual([409, 'audience_changed']);
  const launched = await call('POST', `/messages/${draft.id}/launch`, { audienceHash: draft.audience.hash });
  expect([launched.status, (await view(launched)).state]).toEqual([202, 'live']);
  const again = await call('POST', `/messages/${draft.id}/launch`);
  expect([again.status, (await problem(again)).code]).toEqual([409, 'not_a_draft']);
  // Its first page is planned with the launch, so a worker is woken to send.
  expect(deps.nudges.filter((nudge) => nudge.name.startsWith('deliver-'))).toHaveLength(1);

  const page = (await (await call('GET', '/messages?limit=1&state=live')).json()) as Page<MessageView>;
  expect(page.items.map((message) => message.id)).toEqual([draft.id]);
});

test('50 equal launches at once make one message, also after the answer was lost', async () => {
  const headers = { 'idempotency-key': 'storm-1' };
  const body = { ...ready, title: 'storm', launch: true };
  const answers = await Promise.all(Array.from({ length: 50 }, () => call('POST', '/messages', body, headers)));
  expect(answers.filter((r) => ![201, 409].includes(r.status))).toEqual([]);
  const repeat = await call('POST', '/messages', body, headers);
  expect([repeat.status, repeat.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
  const ids = await Promise.all([...answers.filter((r) => r.status === 201), repeat].map(async (r) => (await view(r)).id));
  expect(new Set(ids).size).toBe(1);
  const rows = await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('messages').select('id').where('title', '=', 'storm').execute());
  expect(rows).toHaveLength(1);
});

test('a message of another tenant does not exist, whatever is asked of it', async () => {
  const { id } = await view(await call('POST', '/messages', ready));
  const other = await deps.tenant();
  for (const [method, path, body] of [
    ['GET', '', undefined],
    ['POST', '/launch', {}],
    ['POST', '/approve', {}],
    ['POST', '/stop', undefined],
    ['POST', '/correct', { text: { en: 'no' } }],
    ['POST', '/all-clear', { text: { en: 'no' } }],
    ['GET', '/events', undefined],
  ] as const) {
    const response = await call(method, `/messages/${id}${path}`, body, {}, other.apiKey);
    expect([path, response.status]).toEqual([path, 404]);
  }
  const deliveries = await call('GET', `/messages/${id}/deliveries`, undefined, {}, other.apiKey);
  expect(deliveries.status === 404 || ((await deliveries.json()) as Page<unknown>).items.length === 0).toBe(true);
});

test('stop reports what was in flight, and a correction needs a text', async () => {
  const { id } = await view(await call('POST', '/messages', { ...ready, launch: true }));
  const empty = await call('POST', `/messages/${id}/correct`, {});
  expect([empty.status, (await problem(empty)).errors.map((e) => `${e.field} ${e.code}`)]).toEqual([422, ['text required']]);
  const stopped = await call('POST', `/messages/${id}/stop`);
  expect(stopped.status).toBe(200);
  expect(await stopped.json()).toMatchObject({ message: { id, state: 'stopped' }, inFlight: 0 });
});

test('deliveries come as pages, and as CSV that no spreadsheet runs', async () => {
  const { id } = await view(await call('POST', '/messages', { ...ready, launch: true }));
  const messageId = deps.ids.decode('msg', id) ?? '';
  await deps.db.withTenant(tenantId, async (tx) => {
    const people = await tx.selectFrom('recipients').select('id').execute();
    await tx
      .insertInto('deliveries')
      .values(
        people.map((person) => ({
          tenant_id: tenantId,
          message_id: messageId,
          recipient_id: person.id,
          channel: 'sms' as const,
          wave: 0,
          state: 'failed' as const,
          code: '30003',
        })),
      )
      .execute();
  });
  const first = (await (await call('GET', `/messages/${id}/deliveries?limit=2&state=failed`)).json()) as Page<{ recipientId: string }>;
  const second = (await (await call('GET', `/messages/${id}/deliveries?limit=2&state=failed&cursor=${first.next}`)).json()) as Page<{ recipientId: string }>;
  expect([...first.items, ...second.items]).toHaveLength(3);
  expect(second.next).toBeNull();
  const csv = await call('GET', `/messages/${id}/deliveries?format=csv`);
  expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  const lines = (await csv.text()).trimEnd().split('\r\n');
  expect(lines).toHaveLength(4);
  expect(lines[1]).toContain(`"'=1+`);
});

test('what is in doubt says when it was sent and what is not known, in the list and in the CSV', async () => {
  const { id } = await view(await call('POST', '/messages', { ...ready, launch: true }));
  const messageId = deps.ids.decode('msg', id) ?? '';
  await deps.db.withTenant(tenantId, async (tx) => {
    const { id: person } = await tx.selectFrom('recipients').select('id').executeTakeFirstOrThrow();
    await tx
      .insertInto('deliveries')
      .values({
        ...{ tenant_id: tenantId, message_id: messageId, recipient_id: person, channel: 'sms' as const, wave: 0 },
        ...{ state: 'unresolved' as const, code: 'silence', marked_at: new Date('2026-11-22T14:02:11.400Z') },
      })
      .execute();
  });
  const said = 'sent at 14:02:11 UTC, no answer from the carrier: may or may not have it';
  const page = (await (await call('GET', `/messages/${id}/deliveries?state=unresolved`)).json()) as Page<{ doubt: string | null }>;
  expect(page.items.map((item) => item.doubt)).toEqual([said]);
  expect(await (await call('GET', `/messages/${id}/deliveries?format=csv&state=unresolved`)).text()).toContain(`"${said}"`);
});

test('queries and verbs refuse what they do not know', async () => {
  const query = await call('GET', '/messages?colour=red');
  expect([query.status, (await problem(query)).errors[0]?.field]).toEqual([422, 'colour']);
  const limit = await call('GET', '/messages?limit=1000');
  expect([limit.status, (await problem(limit)).errors[0]?.field]).toEqual([422, 'limit']);
  const launch = await call('POST', '/messages/msg_nonsense/launch', { now: true });
  expect([launch.status, (await problem(launch)).errors[0]?.field]).toEqual([422, 'now']);
  expect((await call('GET', '/messages/msg_nonsense')).status).toBe(404);
});

test('everything can be stopped and released', async () => {
  const wrong = await call('POST', '/stop', { scope: 'channel' });
  expect([wrong.status, (await problem(wrong)).errors[0]?.field]).toEqual([422, 'channel']);
  expect((await call('POST', '/stop', { scope: 'tenant' })).status).toBe(200);
  const held = await call('POST', '/messages', { ...ready, launch: true });
  expect([held.status, (await problem(held)).code]).toEqual([409, 'stopped']);
  expect((await call('POST', '/stop', { scope: 'tenant', release: true })).status).toBe(200);
  expect((await call('POST', '/messages', { ...ready, launch: true })).status).toBe(201);
});
