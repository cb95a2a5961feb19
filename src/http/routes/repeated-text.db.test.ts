import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import type { MessageView } from '#schemas/views.ts';
import { launchMessage } from '#services/messages/launch-message.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addRecipients } from '#testing/people.ts';
import { apiOf } from '#testing/people-who-act.ts';

/** Guard 10: the same text to some of the same people within ten minutes is asked about. */
let deps: TestDeps;
let app: ReturnType<typeof createApp>;
beforeAll(async () => {
  deps = await createTestDeps();
  app = createApp(deps);
});
afterAll(() => deps.close());

async function office(policy: Record<string, unknown> = {}) {
  const { tenantId, apiKey } = await deps.tenant({ policy });
  const people = (await addRecipients(deps, tenantId, 4)).map((id) => deps.ids.encode('rcp', id));
  const api = apiOf(app, apiKey);
  const send = (text: Record<string, string>, ids = people, change: object = {}) =>
    api<MessageView>('POST', '/messages', { class: 'ops', text, audience: { ids }, channels: ['sms'], launch: true, ...change });
  return { tenantId, people, api, send };
}

test('the same text to some of the same people is asked about once, and sent when it is acknowledged', async () => {
  const { people, api, send } = await office();
  const text = { en: 'Come to the hall' };
  const first = await send(text, people.slice(0, 2));
  expect(first.status).toBe(201);
  const asked = await send({ fr: '  come TO the\nhall ' }, people.slice(1));
  expect(asked).toMatchObject({ status: 409, body: { code: 'repeated_text', messageId: first.body.id } });
  // Nothing was written.
  expect((await api<{ items: unknown[] }>('GET', '/messages')).body.items).toHaveLength(1);
  const { body: draft } = await send(text, people, { launch: false });
  expect(await api('POST', `/messages/${draft.id}/launch`)).toMatchObject({ status: 409, body: { code: 'repeated_text' } });
  expect(await api('POST', `/messages/${draft.id}/launch`, { acknowledge: ['yes'] })).toMatchObject({ status: 422 });
  expect((await api('POST', `/messages/${draft.id}/launch`, { acknowledge: ['repeated_text'] })).status).toBe(202);
  expect((await send(text, people, { acknowledge: ['repeated_text'] })).status).toBe(201);
});

test('other people, another text, a drill of the same, or a message of an hour ago are no repetition', async () => {
  const { tenantId, people, send } = await office();
  const text = { en: 'Come to the hall' };
  expect((await send(text, people.slice(0, 2))).status).toBe(201);
  expect((await send(text, people.slice(2))).status).toBe(201);
  expect((await send({ en: 'Come to the school' })).status).toBe(201);
  expect((await send(text, people, { drill: true })).status).toBe(201);
  await deps.db.withTenant(tenantId, (tx) => sql`UPDATE messages SET launched_at = launched_at - interval '11 minutes'`.execute(tx));
  expect((await send(text)).status).toBe(201);
});

test('what is scheduled counts at its time', async () => {
  const { send } = await office();
  const text = { en: 'Come to the hall' };
  const at = (minutes: number) => ({ startAt: new Date(Date.now() + minutes * 60_000).toISOString() });
  expect((await send(text, undefined, at(60))).status).toBe(201);
  expect((await send(text)).status).toBe(201);
  expect((await send(text, undefined, at(65))).status).toBe(409);
  expect((await send(text, undefined, at(75))).status).toBe(201);
});

test('an organisation whose programs repeat on purpose has them not asked; its people are', async () => {
  const { tenantId, api, send } = await office();
  const text = { en: 'Hourly level: low' };
  expect((await send(text)).status).toBe(201);
  expect((await api('PATCH', '/settings', { asksPrograms: false })).body).toMatchObject({ asksPrograms: false });
  expect((await send(text)).status).toBe(201);
  const { body: draft } = await send(text, undefined, { launch: false });
  const person = deps.as(tenantId);
  await expect(launchMessage({ ...person, actor: { ...person.actor, asked: 'always' } }, draft.id)).rejects.toMatchObject({ code: 'repeated_text' });
});

test('of many that are launched at once one goes, whichever language they have in common', async () => {
  const { api, send } = await office();
  const at = (n: number) => (n % 2 === 0 ? { en: 'Come to the hall', de: `Nummer ${n}` } : { fr: `Numéro ${n}`, en: 'come to  the HALL' });
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => send(at(n))));
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status, body }) => status === 409 && (body as unknown as { code: string }).code === 'repeated_text')).toHaveLength(49);
  // The same with drafts that were written before.
  const drafts = await Promise.all(Array.from({ length: 20 }, () => send({ en: 'Go home' }, undefined, { launch: false })));
  const launches = await Promise.all(drafts.map(({ body }) => api('POST', `/messages/${body.id}/launch`)));
  expect(launches.filter(({ status }) => status === 202)).toHaveLength(1);
  expect(launches.filter(({ status }) => status === 409)).toHaveLength(19);
});
