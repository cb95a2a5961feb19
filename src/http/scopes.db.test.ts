import { createRoute } from '@hono/zod-openapi';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiKey } from '#services/access/api-keys.ts';
import { setOperator } from '#services/access/set-operator.ts';
import { type Scope, systemActor } from '#services/context.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { apiRoute, ApiRouter } from './api-router.ts';
import { createApp } from './app.ts';
import { progressHub } from './progress-hub.ts';

const EVERY: readonly Scope[] = ['read', 'write', 'send:life', 'send:ops', 'send:bulk', 'operator'];
const SENDS: readonly Scope[] = ['send:life', 'send:ops', 'send:bulk'];

/** A key needs one of these scopes for the route. A change here is a change of what a key may do. */
const NEEDED: Readonly<Record<string, readonly Scope[]>> = {
  'POST /v1/audiences/preview': ['read', 'write', ...SENDS],
  'POST /v1/cap': ['write'],
  'GET /v1/imports': ['read'],
  'GET /v1/imports/{id}': ['read'],
  'POST /v1/imports/{id}/acknowledge': ['write'],
  'GET /v1/messages': ['read'],
  'POST /v1/messages': ['write', ...SENDS],
  'GET /v1/messages/{id}': ['read'],
  'GET /v1/messages/{id}/reached': ['read'],
  'PATCH /v1/messages/{id}': ['write', ...SENDS],
  'POST /v1/messages/{id}/all-clear': ['write', ...SENDS],
  'GET /v1/messages/{id}/answers': ['read'],
  'POST /v1/messages/{id}/approve': ['write', ...SENDS],
  'GET /v1/messages/{id}/cap': ['read'],
  'POST /v1/messages/{id}/correct': ['write', ...SENDS],
  'GET /v1/messages/{id}/deliveries': ['read'],
  'GET /v1/messages/{id}/events': ['read'],
  'POST /v1/messages/{id}/launch': ['write', ...SENDS],
  'GET /v1/messages/{id}/spread': ['read'],
  'POST /v1/messages/{id}/stop': ['write', ...SENDS],
  'GET /v1/recipients': ['read'],
  'POST /v1/recipients': ['write'],
  'POST /v1/recipients/import': ['write'],
  'GET /v1/recipients/{id}': ['read'],
  'PATCH /v1/recipients/{id}': ['write'],
  'DELETE /v1/recipients/{id}': ['write'],
  'PUT /v1/recipients/{id}/consent/{purpose}': ['write'],
  'POST /v1/recipients/{id}/push-subscriptions': ['write'],
  'GET /v1/settings': ['read'],
  'PATCH /v1/settings': ['write'],
  'POST /v1/stop': ['write', ...SENDS, 'operator'],
  'GET /v1/suppressions': ['read'],
  'POST /v1/suppressions': ['write'],
  'DELETE /v1/suppressions': ['write'],
  'GET /v1/texts': ['read'],
  'POST /v1/texts/{id}/handled': ['write'],
};

let deps: TestDeps;
let app: ReturnType<typeof createApp>;
let keyWith: (scopes: readonly Scope[]) => Promise<string>;
beforeAll(async () => {
  deps = await createTestDeps();
  app = createApp(deps);
  const { tenantId, userId } = await deps.tenant();
  const { email } = await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('users').select('email').executeTakeFirstOrThrow());
  await setOperator(deps, email, true);
  const ctx = deps.as(tenantId, { ...systemActor, userId });
  const made = new Map<string, Promise<string>>();
  keyWith = (scopes) => {
    const name = scopes.join(' ');
    const key = made.get(name) ?? createApiKey(ctx, { name, mode: 'live', scopes }).then((created) => created.key);
    made.set(name, key);
    return key;
  };
});
afterAll(async () => {
  await progressHub(deps).close();
  await deps.close();
});

async function ask(
  route: string,
  scopes: readonly Scope[],
  headers: Record<string, string> = {},
): Promise<{ status: number; code?: unknown; scopes?: unknown }> {
  const [method = '', path = ''] = route.split(' ');
  const response = await app.request(path.replace(/\{\w+\}/g, 'none'), { method, headers: { authorization: `Bearer ${await keyWith(scopes)}`, ...headers } });
  const text = await response.text();
  const problem = text !== '' && /json/.test(response.headers.get('content-type') ?? '') ? (JSON.parse(text) as object) : {};
  return { ...problem, status: response.status };
}

test('the document tells the scopes of every route, and they are those of the table', async () => {
  const document = (await (await app.request('/v1/openapi.json')).json()) as { paths: Record<string, Record<string, { 'x-scope'?: string[] }>> };
  const told = Object.entries(document.paths).flatMap(([path, item]) =>
    path.startsWith('/v1/') ? Object.entries(item).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation['x-scope']] as const) : [],
  );
  expect(Object.fromEntries(told)).toEqual(NEEDED);
});

test('no route under /v1 is missing in the table but the document itself', () => {
  const served = app.routes.filter(({ method, path }) => path.startsWith('/v1') && !(method === 'ALL' && path === '/v1/*'));
  const names = new Set(served.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`));
  expect(names).toEqual(new Set(['GET /v1/openapi.json', ...Object.keys(NEEDED)]));
});

test.each(Object.entries(NEEDED))('%s is refused to a key that has every scope but %j', async (route, needed) => {
  const others = EVERY.filter((scope) => !needed.includes(scope));
  const refused = await ask(route, others);
  expect(refused).toMatchObject({ status: 403, code: 'scope_missing', scopes: needed });
  for (const scope of needed) expect((await ask(route, [scope])).scopes, scope).toBeUndefined();
});

test('a refusal does not use up its Idempotency-Key', async () => {
  const once = { 'idempotency-key': 'once' };
  expect((await ask('POST /v1/messages', ['read'], once)).code).toBe('scope_missing');
  expect((await ask('POST /v1/messages', ['write'], once)).code).not.toBe('idempotency_key_reused');
});

test('HEAD needs what GET needs, and an address without a route needs nothing and is not there', async () => {
  expect((await ask('HEAD /v1/recipients', ['write'])).status).toBe(403);
  expect((await ask('HEAD /v1/recipients', ['read'])).status).toBe(200);
  expect((await ask('POST /v1/nowhere', ['read'])).status).toBe(404);
  expect((await ask('DELETE /v1/messages', ['read'])).status).toBe(405);
});

test('a route without a scope is a type error, and is served to nobody', async () => {
  const responses = { 200: { description: 'ok' } };
  // @ts-expect-error -- a scope must be stated
  apiRoute({ method: 'get', path: '/a', responses });
  // @ts-expect-error -- and at least one
  apiRoute({ method: 'get', path: '/a', scope: [], responses });
  // @ts-expect-error -- and one that there is
  apiRoute({ method: 'get', path: '/a', scope: 'all', responses });
  // @ts-expect-error -- and a route that was made another way is not taken
  new ApiRouter().openapi(createRoute({ method: 'get', path: '/a', responses }), (c) => c.text('secret'));

  const careless = createApp(deps);
  careless.get('/v1/careless', (c) => c.text('secret'));
  const answer = await careless.request('/v1/careless', { headers: { authorization: `Bearer ${await keyWith(['read'])}` } });
  expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining('secret')]);
});
