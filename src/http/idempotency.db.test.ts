import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { sql } from 'kysely';
import { inTenant } from '#services/context.ts';
import { claimKey, storeAnswer } from '#services/idempotency-keys.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { apiRoute, ApiRouter } from './api-router.ts';
import { createApp } from './app.ts';

let deps: TestDeps;
let app: ReturnType<typeof createApp>;
let key: string;
let tenantId: number;
let executions = 0;

const route = (path: string) => apiRoute({ method: 'post', path, scope: 'write', responses: { 200: { description: 'ok' } } });

function routes(): ApiRouter {
  const made = new ApiRouter();
  made.openapi(route('/messages/plain'), async (c) => {
    executions += 1;
    const { name } = await c.req.json<{ name: string }>();
    const row = await inTenant(c.var.ctx, (tx) =>
      tx.insertInto('recipients').values({ tenant_id: c.var.ctx.tenantId, name }).returning('id').executeTakeFirstOrThrow(),
    );
    return c.json({ row: row.id }, 201, { Location: `/v1/recipients/${row.id}` });
  });
  made.openapi(route('/messages/committed'), async (c) => {
    const { name, dies } = await c.req.json<{ name: string; dies: boolean }>();
    await inTenant(c.var.ctx, async (tx) => {
      const row = await tx.insertInto('recipients').values({ tenant_id: c.var.ctx.tenantId, name }).returning('id').executeTakeFirstOrThrow();
      await c.var.ctx.idempotency?.complete(tx, 201, { id: `msg_${row.id}` });
    });
    if (dies) throw new Error('the process ends here, after its commit');
    return c.json({ never: 'seen' }, 201);
  });
  made.openapi(route('/messages/fails'), (c) => {
    executions += 1;
    return executions === 1 ? c.json({ oops: true }, 500) : c.json({ fine: true }, 200);
  });
  return made;
}

beforeAll(async () => {
  deps = await createTestDeps();
  ({ apiKey: key, tenantId } = await deps.tenant());
  app = createApp(deps);
  routes().mountOn(app);
});
beforeEach(() => {
  executions = 0;
});
afterAll(() => deps.close());

const post = (path: string, idempotencyKey: string, body: string, apiKey = key, type = 'application/json') =>
  app.request(`/v1${path}`, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': type, 'idempotency-key': idempotencyKey },
  });
const named = (name: string) => deps.db.withTenant(tenantId, (tx) => tx.selectFrom('recipients').select('id').where('name', '=', name).execute());

test('of 50 equal requests at once under each of 4 keys, one executes and the others get its answer or 409', async () => {
  const keys = ['k1', 'k2', 'k3', 'k4'];
  const all = await Promise.all(
    keys.flatMap((one) => Array.from({ length: 50 }, async () => ({ one, response: await post('/messages/plain', one, `{"name":"${one}"}`) }))),
  );
  for (const one of keys) {
    expect(await named(one)).toHaveLength(1);
    const answers = all.filter((each) => each.one === one).map((each) => each.response);
    expect(new Set(answers.map((r) => r.status))).toEqual(new Set(answers.some((r) => r.status === 409) ? [201, 409] : [201]));
    const bodies = await Promise.all(answers.filter((r) => r.status === 201).map((r) => r.text()));
    expect(new Set(bodies).size).toBe(1);
    for (const busy of answers.filter((r) => r.status === 409)) expect(Number(busy.headers.get('retry-after'))).toBeGreaterThan(0);
  }
  expect(executions).toBe(4);
});

test('a repeat gets the first answer byte for byte; another body, address or key holder under the key is refused', async () => {
  const first = await post('/messages/plain', 'again', '{"name":"again"}');
  const second = await post('/messages/plain', 'again', '{"name":"again"}');
  expect(second.headers.get('idempotency-replayed')).toBe('true');
  expect([second.status, await second.text(), second.headers.get('location')]).toEqual([first.status, await first.text(), first.headers.get('location')]);
  for (const refused of [await post('/messages/plain', 'again', '{"name":"other"}'), await post('/messages/fails', 'again', '{"name":"again"}')]) {
    expect(refused.status).toBe(422);
    expect(await refused.json()).toMatchObject({ code: 'idempotency_key_reused', errors: [{ field: 'Idempotency-Key' }] });
  }
  expect(await named('again')).toHaveLength(1);
});

test('two tenants may use the same key', async () => {
  const other = await deps.tenant();
  expect((await post('/messages/plain', 'shared', '{"name":"shared"}')).status).toBe(201);
  const theirs = await post('/messages/plain', 'shared', '{"name":"shared"}', other.apiKey);
  expect(theirs.status).toBe(201);
  expect(theirs.headers.get('idempotency-replayed')).toBeNull();
});

test('a refusal is kept, a failure is not', async () => {
  expect((await post('/messages/fails', 'fails', '{}')).status).toBe(500);
  const repeat = await post('/messages/fails', 'fails', '{}');
  expect([repeat.status, executions]).toEqual([200, 2]);
});

test('a process that dies between commit and reply leaves the answer for the repeat', async () => {
  const body = '{"name":"dies","dies":true}';
  expect((await post('/messages/committed', 'dies', body)).status).toBe(500);
  const repeat = await post('/messages/committed', 'dies', body);
  const [row] = await named('dies');
  expect([repeat.status, await repeat.json()]).toEqual([201, { id: `msg_${row?.id}` }]);
  expect(repeat.headers.get('location')).toBe(`/v1/messages/msg_${row?.id}`);
  expect(await named('dies')).toHaveLength(1);
});

test('what the verb kept is what the first caller reads, too', async () => {
  const first = await post('/messages/committed', 'kept', '{"name":"kept","dies":false}');
  expect(await first.json()).toEqual({ id: expect.stringMatching(/^msg_\d+$/) });
});

test('a key whose holder died is free once its lock has passed, and the dead one can no longer commit', async () => {
  const ctx = deps.as(tenantId);
  const hash = Buffer.alloc(32, 7);
  const first = await claimKey(ctx, 'crashed', hash);
  expect(first.kind).toBe('mine');
  expect(await claimKey(ctx, 'crashed', hash)).toMatchObject({ kind: 'running' });
  await inTenant(ctx, (tx) => sql`UPDATE idempotency_keys SET locked_until = now() - interval '1 second' WHERE key = 'crashed'`.execute(tx));
  expect(await claimKey(ctx, 'crashed', Buffer.alloc(32, 8))).toMatchObject({ kind: 'running' });
  const second = await claimKey(ctx, 'crashed', hash);
  expect(second.kind).toBe('mine');
  if (first.kind !== 'mine' || second.kind !== 'mine') throw new Error('not reached');
  const answer = { status: 201, headers: null, body: '{}' };
  const store = (fence: string) => inTenant(ctx, (tx) => storeAnswer(tx, tenantId, 'crashed', fence, answer));
  expect(await store(first.fence)).toBe(false);
  expect(await store(second.fence)).toBe(true);
  expect(await store(second.fence)).toBe(false);
});

test('a streamed import is hashed as it passes: its repeat gets the first answer, another file is refused', async () => {
  const file = `name,phone\n${Array.from({ length: 2_000 }, (_, i) => `P,+1555${String(4_000_000 + i)}\n`).join('')}`;
  const first = await post('/recipients/import', 'file', file, key, 'text/csv');
  const report: unknown = await first.json();
  expect([first.status, report]).toEqual([200, expect.objectContaining({ rows: 2_000 })]);
  const repeat = await post('/recipients/import', 'file', file, key, 'text/csv');
  expect([repeat.status, repeat.headers.get('idempotency-replayed'), await repeat.json()]).toEqual([200, 'true', report]);
  const other = await post('/recipients/import', 'file', `${file}x`, key, 'text/csv');
  expect([other.status, ((await other.json()) as { code: string }).code]).toEqual([422, 'idempotency_key_reused']);
});

test('a malformed key is refused with its field', async () => {
  const response = await post('/messages/plain', 'not a key', '{}');
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject({ code: 'invalid_idempotency_key', errors: [{ field: 'Idempotency-Key' }] });
});
