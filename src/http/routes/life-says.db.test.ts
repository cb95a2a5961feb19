import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import type { MessageView, PreviewView } from '#schemas/views.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addDelivery, addRecipients } from '#testing/people.ts';
import { apiOf } from '#testing/people-who-act.ts';

/** Guard 8: a life message says whom it means, where, what to do, until when, and who issues it. */
let deps: TestDeps;
let app: ReturnType<typeof createApp>;
beforeAll(async () => {
  deps = await createTestDeps();
  app = createApp(deps);
});
afterAll(() => deps.close());

async function office(says: object = {}) {
  const { tenantId, apiKey } = await deps.tenant({ name: 'River Watch', policy: { says, asksPrograms: false } });
  await addRecipients(deps, tenantId, 2);
  const api = apiOf(app, apiKey);
  const expiresAt = new Date(deps.clock.now() + 3_600_000).toISOString();
  const draft = { class: 'life', text: { en: 'The dam breaks.' }, audience: { all: true }, channels: ['sms'], expiresAt };
  const send = (change: object = {}) => api<MessageView & { errors: { field: string; code: string }[] }>('POST', '/messages', { ...draft, ...change });
  return { tenantId, api, send, draft };
}

const fields = (answer: { json: { errors: { field: string }[] } }) => answer.json.errors.map((error) => error.field);
const WORDING = { who: 'Everybody below the dam', where: 'Low Road', instruction: 'Go uphill now' };

test.each([false, true])('everything that it does not say is named at once (drill: %s)', async (drill) => {
  const { api, send } = await office();
  for (const launch of [false, true]) {
    const refused = await send({ drill, launch });
    expect(refused).toMatchObject({ status: 422, json: { code: 'invalid_message' } });
    expect(fields(refused)).toEqual(['says.who', 'says.where', 'says.instruction']);
  }
  // The end is missing too, and all of it is said in one answer.
  expect(fields(await send({ drill, expiresAt: undefined, says: { who: 'All' } }))).toEqual(['expiresAt', 'says.where', 'says.instruction']);
  expect((await api<{ items: unknown[] }>('GET', '/messages')).json.items).toEqual([]);
  const made = await send({ drill, says: WORDING, launch: true });
  expect(made).toMatchObject({ status: 201, json: { state: 'live', says: { en: { ...WORDING, issuer: 'River Watch' } } } });
});

test('other classes need no words', async () => {
  const { send } = await office();
  expect(await send({ class: 'ops' })).toMatchObject({ status: 201, json: { says: null } });
});

test('each language says it', async () => {
  const { send } = await office();
  const text = { en: 'The dam breaks.', de: 'Der Damm bricht.' };
  const refused = await send({ text, says: { ...WORDING, instruction: { en: 'Go uphill now' } } });
  expect(fields(refused)).toEqual(['says.instruction']);
  const made = await send({ text, says: { ...WORDING, instruction: { en: 'Go uphill now', de: 'Gehen Sie bergauf' } } });
  expect(made.json.says?.['de']).toEqual({ ...WORDING, instruction: 'Gehen Sie bergauf', issuer: 'River Watch' });
});

test("the organisation's standing words hold where a message has none, as they were when it was written", async () => {
  const { api, send } = await office();
  const settings = await api('PATCH', '/settings', { says: { who: 'All residents', where: 'River valley', issuer: 'River Watch, +1 555 0100' } });
  expect(settings).toMatchObject({ status: 200, json: { says: { who: 'All residents' } } });
  const made = await send({ says: { where: 'Low Road', instruction: 'Go uphill' } });
  const says = { en: { who: 'All residents', where: 'Low Road', instruction: 'Go uphill', issuer: 'River Watch, +1 555 0100' } };
  expect(made.json.says).toEqual(says);
  await api('PATCH', '/settings', { says: {} });
  expect(await api('POST', `/messages/${made.json.id}/launch`)).toMatchObject({ status: 202, json: { says } });
});

test('a draft that becomes a life message, or gets a language, is asked for what it lacks', async () => {
  const { api, send } = await office();
  const { json: ops } = await send({ class: 'ops' });
  const change = (body: object, id = ops.id) => api<MessageView & { errors: { field: string }[] }>('PATCH', `/messages/${id}`, body);
  expect(fields(await change({ class: 'life' }))).toEqual(['says.who', 'says.where', 'says.instruction']);
  expect(await change({ class: 'life', says: WORDING })).toMatchObject({ status: 200, json: { says: { en: WORDING } } });
  expect(await change({ title: 'Flood' })).toMatchObject({ status: 200, json: { says: { en: WORDING } } });
  expect(fields(await change({ text: { en: 'The dam breaks.', fr: 'Le barrage cède.' } }))).toEqual(['says.who', 'says.where', 'says.instruction']);
  expect(await change({ class: 'ops' })).toMatchObject({ status: 200, json: { says: null } });
});

test('the preview counts what is added, and nothing for words that the text has', async () => {
  const { api, draft } = await office();
  const preview = async (text: string, says: object = WORDING) =>
    (await api<PreviewView>('POST', '/audiences/preview', { audience: draft.audience, class: 'life', channels: ['sms'], text: { en: text }, says })).json;
  const fits = 'Everybody below the dam: go uphill now, leave Low Road. River Watch. Take the path by the mill, not the bridge.';
  expect((await preview(fits)).segments).toBe(1);
  expect((await preview(fits.replace('Low Road', 'that road'))).segments).toBe(1);
  expect((await preview(fits.replaceAll(/[aeiou]/g, 'x'))).segments).toBe(2);
});

test('a correction has place, people and issuer of the first and what to do from its own text; what was wrong is given anew', async () => {
  const { tenantId, api, send } = await office();
  const { json: first } = await send({ says: WORDING, launch: true });
  // Somebody was called, so that there is somebody to correct.
  const id = deps.ids.decode('msg', first.id) ?? '';
  const people = await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('recipients').select('id').execute());
  await addDelivery(deps, tenantId, { messageId: id, recipientId: people[0]?.id ?? '', channel: 'sms' });
  const corrected = await api<MessageView>('POST', `/messages/${first.id}/correct`, { text: { en: 'Stay where you are.' }, says: { where: 'Mill Street' } });
  expect(corrected).toMatchObject({
    status: 201,
    json: { state: 'live', says: { en: { who: WORDING.who, where: 'Mill Street', instruction: 'Stay where you are.', issuer: 'River Watch' } } },
  });
});

test('a drill must not deny itself in these words either', async () => {
  const { send } = await office();
  expect(fields(await send({ drill: true, says: { ...WORDING, instruction: 'This is not a drill, run' } }))).toEqual(['says.instruction']);
});

test('the page for an answer says all of it, and the organisation once', async () => {
  const { tenantId, send } = await office();
  const pageOf = async (says: object): Promise<string> => {
    const { json } = await send({ says, launch: true });
    const people = await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('recipients').select('id').execute());
    const token = deps.tokens.seal('answer', { a: Number(deps.ids.decode('msg', json.id)), b: Number(people[0]?.id), extra: 0 });
    return (await app.request(`/r/${token}`)).text();
  };
  const page = await pageOf(WORDING);
  for (const words of Object.values(WORDING)) expect(page).toContain(words);
  expect(page.match(/From:/g)).toHaveLength(1);
  expect(await pageOf({ ...WORDING, issuer: 'Dam office' })).toMatch(/From: Dam office/);
});
