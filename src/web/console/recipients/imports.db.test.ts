import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { MessageInput } from '#schemas/message.ts';
import { createMessage, type MessageOrigin } from '#services/messages/create-message.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { messageIdOf } from '#services/message-row.ts';
import { listImports } from '#services/imports/list-imports.ts';
import type { BrowserSession } from '#testing/browser-session.ts';
import { signedIn } from '#testing/console-session.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

/** Guard 1 as a coordinator meets it. One click says that the rejected rows are seen, after the import or before the message goes. */
let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

let tenantId: number;
let email: string;
let page: BrowserSession;
let token: string;
beforeEach(async () => {
  ({ tenantId, email } = await deps.tenant());
  page = await signedIn(deps, email);
  token = await page.token();
});

async function upload(csv: string): Promise<string> {
  const form = new FormData();
  form.append('_csrf', token);
  form.append('file', new File([csv], 'people.csv', { type: 'text/csv' }));
  return (await page.upload('/people/import', form)).text();
}
const BAD = 'name,phone\r\nAda,+12125550142\r\nBob,12\r\n';

async function draft(change: Partial<MessageInput> = {}, origin: MessageOrigin = {}) {
  const input = { class: 'ops', text: { en: 'Come' }, audience: { all: true }, channels: ['sms'], drill: false, answers: [], share: false, launch: false };
  const { id } = await createMessage(deps.as(tenantId), { ...(input as MessageInput), ...change }, origin);
  const shown = await page.text(`/messages/${id}`);
  const audienceHash = /name="audienceHash" value="([^"]+)"/.exec(shown)?.[1] ?? '';
  const launch = async (fields: Record<string, string> = {}) =>
    (await page.post(`/messages/${id}/launch`, { _csrf: token, audienceHash, count: '1', sure: 'yes', ...fields })).text();
  return { id, shown, audienceHash, launch, state: async () => (await getMessage(deps.as(tenantId), id)).state };
}

test('rejected rows are acknowledged with one click on the page of the import, and no message asks about them', async () => {
  const result = await upload(BAD);
  const action = /action="(\/people\/imports\/imp_\w+\/acknowledge)"/.exec(result)?.[1] ?? '';
  expect(result).toContain('I have seen these rows');
  expect(await page.text('/people/import')).toContain('not seen yet');
  expect((await page.post(action, { _csrf: 'stale' })).status).toBe(403);
  const seen = await (await page.post(action, { _csrf: token })).text();
  expect(seen).toContain('No message asks about them any more.');
  expect(seen).not.toContain('I have seen these rows');
  expect(seen).toMatch(/data-label="Line">3<\/td><td data-label="Field"><code>phone<\/code>/);
  expect((await listImports(deps.as(tenantId))).items[0]).toMatchObject({ acknowledgedBy: expect.stringMatching(/^user:/), rejected: 1 });
  const { shown, launch, state } = await draft();
  expect(shown).not.toContain('name="rows"');
  await launch();
  expect(await state()).toBe('live');
});

test('a draft asks before it is sent: nothing goes without the tick, and the link leads to the rows', async () => {
  await upload(BAD);
  const { shown, launch, state } = await draft();
  const link = /<a href="(\/people\/imports\/imp_\w+)">1 row of an import<\/a>/.exec(shown)?.[1] ?? '';
  expect(await page.text(link)).toContain('I have seen these rows');
  const refused = await launch();
  expect(refused).toContain('<a href="#rows">Rows of an import were not taken');
  expect(await state()).toBe('draft');
  // Everything that is missing is said at once.
  expect(await launch({ sure: '' })).toMatch(/<a href="#rows">Rows of an import.*<a href="#sure">Tick that you have read/s);
  // What is ticked stays ticked when something else is missing.
  expect(await launch({ rows: 'yes', sure: '' })).toMatch(/id="rows" name="rows" value="yes" checked/);
  await launch({ rows: 'yes' });
  expect(await state()).toBe('live');
});

test('both questions are answered one after the other, without asking the first again', async () => {
  await upload('name,phone\r\nAda,+12125550142\r\n');
  await (await draft()).launch();
  await upload(BAD);
  const { launch, state } = await draft();
  const second = await launch({ rows: 'yes' });
  expect(second).toMatch(/id="rows" name="rows" value="yes" checked/);
  expect(second).toContain('I mean to send it again.');
  expect(await launch({ again: 'yes' })).toContain('name="again" value="yes"');
  expect(await state()).toBe('draft');
  await launch({ rows: 'yes', again: 'yes' });
  expect(await state()).toBe('live');
});

test('an exercise is not held up', async () => {
  await upload(BAD);
  const { shown, launch, state } = await draft({ drill: true });
  expect(shown).not.toContain('name="rows"');
  await launch();
  expect(await state()).toBe('live');
});

test('the all-clear of an alert from elsewhere is a draft to an audience, and asks like any other', async () => {
  await upload('name,phone\r\nAda,+12125550142\r\n');
  const first = await draft();
  await first.launch();
  await upload(BAD);
  const follows = { id: messageIdOf(deps.as(tenantId), first.id), kind: 'all_clear' } as const;
  const { shown, launch, state } = await draft({ text: { en: 'It is over' } }, { follows });
  expect(shown).toContain('name="rows"');
  await launch();
  expect(await state()).toBe('draft');
  await launch({ rows: 'yes' });
  expect(await state()).toBe('live');
});

test('whoever approves ticks it themselves', async () => {
  await upload('name,phone\r\nAda,+12125550142\r\nEve,+12125550143\r\n');
  await upload(BAD);
  await deps.db.withTenant(tenantId, (tx) =>
    tx
      .updateTable('tenants')
      .set({ policy: JSON.stringify({ approvalAbove: { life: 1, ops: 1, bulk: 1 } }) })
      .where('tenant_id', '=', tenantId)
      .execute(),
  );
  const { id, shown, audienceHash } = await draft();
  expect(shown).toMatch(/action="\/messages\/msg_\w+\/approve"[\s\S]*name="rows"[\s\S]*Approve for 2 people/);
  const approve = async (fields: Record<string, string>) => (await page.post(`/messages/${id}/approve`, { _csrf: token, audienceHash, ...fields })).text();
  expect(await approve({})).toContain('<a href="#rows">Rows of an import were not taken');
  expect(await approve({ rows: 'yes' })).toContain('Approved. It can be sent now.');
});
