import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import type { MessageView, Page } from '#schemas/views.ts';
import type { ImportView } from '#services/imports/import-view.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addColleague, apiOf } from '#testing/people-who-act.ts';

/** Guard 1: an import with rejected rows that nobody has acknowledged. */
let deps: TestDeps;
let app: ReturnType<typeof createApp>;
beforeAll(async () => {
  deps = await createTestDeps();
  app = createApp(deps);
});
afterAll(() => deps.close());

const GOOD = 'name,phone\nAda,+12025550111\nBob,+12025550112\n';
const BAD = 'name,phone,email\nAda,+12025550111,\nSecret Name,12345,secret@@example\n';

async function office(policy: Record<string, unknown> = {}) {
  const { tenantId, apiKey } = await deps.tenant({ policy });
  const api = apiOf(app, apiKey);
  const upload = async (csv: string, key?: string) => {
    const answer = await app.request('/v1/recipients/import', {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'text/csv', ...(key === undefined ? {} : { 'idempotency-key': key }) },
      body: csv,
    });
    return (await answer.json()) as { id: string; rejected: number; erased: number };
  };
  const write = async (change: object = {}) =>
    (await api<MessageView>('POST', '/messages', { class: 'ops', text: { en: 'Come' }, audience: { all: true }, channels: ['sms'], ...change })).json.id;
  return { tenantId, apiKey, api, upload, write };
}

test('a launch names an import whose rejected rows nobody has seen, and goes when they are acknowledged', async () => {
  const { tenantId, api, upload, write } = await office();
  await upload(GOOD);
  const { id } = await upload(BAD);
  const [first, second] = [await write(), await write({ text: { en: 'Go' } })];
  const refused = await api<{ detail: string }>('POST', `/messages/${first}/launch`);
  expect(refused).toMatchObject({ status: 409, json: { code: 'rejected_rows', importId: id, rejected: 1, others: 0 } });
  expect(refused.json.detail).toContain(`One row of the import ${id}`);
  expect(refused.json.detail).toContain(`POST /v1/imports/${id}/acknowledge`);
  expect((await api<MessageView>('GET', `/messages/${first}`)).json.state).toBe('draft');
  // The file again without its wrong row says nothing about who is missing.
  await upload(GOOD);
  expect((await api('POST', `/messages/${first}/launch`)).status).toBe(409);
  const seen = await api<ImportView>('POST', `/imports/${id}/acknowledge`);
  expect(seen).toMatchObject({ status: 200, json: { id, acknowledgedBy: expect.stringMatching(/^key:/), acknowledgedAt: expect.any(String) } });
  expect((await api<ImportView>('POST', `/imports/${id}/acknowledge`)).json.acknowledgedAt).toBe(seen.json.acknowledgedAt);
  expect((await api('POST', `/messages/${first}/launch`)).status).toBe(202);
  // The next file asks anew.
  await upload(BAD);
  expect(await api('POST', `/messages/${second}/launch`)).toMatchObject({ status: 409, json: { others: 0 } });
  const audits = await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('audit_log').select('detail').where('action', '=', 'import.acknowledge').execute());
  expect(audits).toEqual([{ detail: { rejected: 1, erased: 0 } }]);
});

test('acknowledged with the launch it goes at once, is written down, and the rows stay to be seen', async () => {
  const { tenantId, api, upload, write } = await office();
  await upload(GOOD);
  await upload(BAD);
  await upload(BAD);
  const id = await write();
  expect(await api('POST', `/messages/${id}/launch`)).toMatchObject({ status: 409, json: { others: 1 } });
  expect((await api('POST', `/messages/${id}/launch`, { acknowledge: ['rejected_rows'] })).status).toBe(202);
  const body = { class: 'ops', text: { en: 'At once' }, audience: { all: true }, channels: ['sms'], launch: true };
  expect((await api('POST', '/messages', body)).status).toBe(409);
  expect((await api('POST', '/messages', { ...body, acknowledge: ['rejected_rows'] })).status).toBe(201);
  const audit = await deps.db.withTenant(tenantId, (tx) =>
    tx.selectFrom('audit_log').select('detail').where('action', '=', 'message.launch').orderBy('seq').executeTakeFirstOrThrow(),
  );
  expect(audit.detail).toMatchObject({ acknowledged: ['rejected_rows'] });
});

test('who approves is asked too', async () => {
  const { tenantId, api, upload, write } = await office({ approvalAbove: { life: 1, ops: 1, bulk: 1 } });
  await upload(GOOD);
  const other = apiOf(app, (await addColleague(deps, tenantId, `second${tenantId}@example.test`)).apiKey);
  const { id: importId } = await upload(BAD);
  const id = await write();
  expect(await other('POST', `/messages/${id}/approve`)).toMatchObject({ status: 409, json: { code: 'rejected_rows', importId } });
  expect((await other('POST', `/messages/${id}/approve`, { acknowledge: ['rejected_rows'] })).status).toBe(200);
  expect(await api('POST', `/messages/${id}/launch`)).toMatchObject({ status: 409, json: { code: 'rejected_rows' } });
  expect((await other('POST', `/imports/${importId}/acknowledge`)).status).toBe(200);
  expect((await api('POST', `/messages/${id}/launch`)).status).toBe(202);
});

test('exercises, corrections, stops, programs that are not asked, and what is a week old are not held up', async () => {
  const { tenantId, api, upload, write } = await office();
  await upload(GOOD);
  const running = await write();
  expect((await api('POST', `/messages/${running}/launch`)).status).toBe(202);
  await upload(BAD);
  const drill = await write({ drill: true });
  expect((await api('POST', `/messages/${drill}/launch`)).status).toBe(202);
  // Nobody has had it yet, which is said after the stop: what matters is that the import is no part of it.
  expect((await api('POST', `/messages/${running}/correct`, { text: { en: 'Wrong hall' } })).json['code']).toBe('nobody_had_it');
  const late = await write({ text: { en: 'Later' } });
  expect((await api('POST', `/messages/${late}/launch`)).status).toBe(409);
  await api('PATCH', '/settings', { asksPrograms: false });
  expect((await api('POST', `/messages/${late}/launch`)).status).toBe(202);
  await api('PATCH', '/settings', { asksPrograms: true });
  await deps.db.withTenant(tenantId, (tx) => sql`UPDATE imports SET finished_at = finished_at - interval '7 days 1 minute'`.execute(tx));
  expect((await api('POST', `/messages/${await write({ text: { en: 'A week on' } })}/launch`)).status).toBe(202);
});

test('rows of people who asked to be erased are rejected and nobody is asked about them', async () => {
  const { apiKey, api, upload, write } = await office();
  await upload(GOOD);
  const ada = (await api<Page<{ id: string }>>('GET', '/recipients?q=Ada')).json.items[0]?.id;
  expect((await app.request(`/v1/recipients/${ada}`, { method: 'DELETE', headers: { authorization: `Bearer ${apiKey}` } })).status).toBe(204);
  expect(await upload(GOOD)).toMatchObject({ rejected: 1, erased: 1 });
  expect((await api('POST', `/messages/${await write()}/launch`)).status).toBe(202);
});

test('what is kept says where a file was wrong and nothing that stood in it', async () => {
  const { tenantId, api, upload } = await office();
  await upload(GOOD);
  const { id } = await upload(BAD);
  expect((await api('GET', `/imports/${id}`)).json).toMatchObject({
    id,
    created: 0,
    unchanged: 1,
    rejected: 1,
    erased: 0,
    importedBy: expect.stringMatching(/^key:/),
    rejectedRows: [
      { line: 3, field: 'phone', code: expect.any(String) },
      { line: 3, field: 'email', code: expect.any(String) },
    ],
    acknowledgedAt: null,
  });
  const { rows } = await deps.db.withTenant(tenantId, (tx) => sql<{ row: string }>`SELECT i::text AS row FROM imports i`.execute(tx));
  expect(rows).toHaveLength(2);
  for (const { row } of rows) expect(row).not.toMatch(/secret|12345|example|Ada|\+1202/i);
});

test('imports are listed newest first in pages, each once for a key, and are of their tenant alone', async () => {
  const { tenantId, api, upload } = await office();
  const made = [await upload(GOOD, 'key-1'), await upload(GOOD, 'key-1'), await upload(BAD), await upload(GOOD)];
  expect(made[1]?.id).toBe(made[0]?.id);
  const page = (await api<Page<ImportView>>('GET', '/imports?limit=2')).json;
  const rest = (await api<Page<ImportView>>('GET', `/imports?limit=2&cursor=${page.next}`)).json;
  expect([...page.items, ...rest.items].map((one) => one.id)).toEqual([made[3]?.id, made[2]?.id, made[0]?.id]);
  expect(rest.next).toBeNull();
  const stranger = (await office()).api;
  expect((await stranger('GET', `/imports/${made[2]?.id}`)).status).toBe(404);
  expect((await stranger('POST', `/imports/${made[2]?.id}/acknowledge`)).status).toBe(404);
  expect((await stranger<Page<ImportView>>('GET', '/imports')).json.items).toEqual([]);
  expect((await api('GET', '/imports?cursor=imp_1')).status).toBe(422);
  // What is older than 90 days goes with the next import.
  await deps.db.withTenant(tenantId, (tx) => sql`UPDATE imports SET finished_at = finished_at - interval '91 days'`.execute(tx));
  await upload(GOOD);
  expect((await api<Page<ImportView>>('GET', '/imports')).json.items).toHaveLength(1);
});
