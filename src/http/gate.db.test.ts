import { z } from '@hono/zod-openapi';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newApiKey } from '#platform/api-key.ts';
import { previewInputSchema } from '#schemas/message.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { apiRoute, ApiRouter } from './api-router.ts';
import { createApp } from './app.ts';
import type { ProblemBody } from './problem.ts';

let deps: TestDeps;
let app: ReturnType<typeof createApp>;
let key: string;
let tenantId: number;

function echoRoutes(): ApiRouter {
  const routes = new ApiRouter();
  const body = { required: true, content: { 'application/json': { schema: previewInputSchema } } };
  const answer = { 200: { description: 'ok' } };
  routes.openapi(apiRoute({ method: 'post', path: '/audiences/echo', scope: 'write', request: { body }, responses: answer }), (c) =>
    c.json({ tenantId: c.var.ctx.tenantId, actor: c.var.ctx.actor.label }, 200),
  );
  const params = z.object({ id: z.string() });
  routes.openapi(apiRoute({ method: 'get', path: '/messages/{id}/thing', scope: 'read', request: { params }, responses: answer }), (c) => c.json({}, 200));
  routes.openapi(apiRoute({ method: 'post', path: '/messages/break', scope: 'write', responses: answer }), () => {
    throw new TypeError('secret detail');
  });
  return routes;
}

beforeAll(async () => {
  deps = await createTestDeps();
  ({ apiKey: key, tenantId } = await deps.tenant());
  app = createApp(deps);
  echoRoutes().mountOn(app);
});
afterAll(() => deps.close());

const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  app.request(path, { method: 'POST', body, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers } });
const problemOf = async (response: Response): Promise<ProblemBody> => {
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return (await response.json()) as ProblemBody;
};

test('a good key becomes a context of its tenant', async () => {
  const response = await post('/v1/audiences/echo', '{"audience":{"all":true}}', { 'x-request-id': 'abc-1' });
  expect(response.status).toBe(200);
  expect(response.headers.get('x-request-id')).toBe('abc-1');
  expect(await response.json()).toEqual({ tenantId, actor: expect.stringMatching(/^key:\d+$/) });
});

test('no key, a malformed one and an unknown one are refused with 401 and a challenge', async () => {
  const missing = await app.request('/v1/messages/x/thing');
  expect(missing.status).toBe(401);
  expect(missing.headers.get('www-authenticate')).toBe('Bearer realm="muster"');
  expect((await problemOf(missing)).code).toBe('missing_api_key');
  for (const wrong of ['mu_live_short', newApiKey('live')]) {
    const response = await app.request('/v1/messages/x/thing', { headers: { authorization: `Bearer ${wrong}` } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('error="invalid_token"');
    expect(await problemOf(response)).toMatchObject({
      code: 'invalid_api_key',
      status: 401,
      title: 'Unauthorized',
      requestId: response.headers.get('x-request-id'),
    });
  }
});

test('a key without the scope is refused with 403 that names it', async () => {
  const other = await deps.tenant();
  await deps.db.withTenant(other.tenantId, (tx) =>
    tx
      .updateTable('api_keys')
      .set({ scopes: ['read'] })
      .execute(),
  );
  const response = await post('/v1/recipients', '{}', { authorization: `Bearer ${other.apiKey}` });
  expect(response.status).toBe(403);
  expect(await problemOf(response)).toMatchObject({ code: 'scope_missing', scopes: ['write'] });
});

test('an address that keeps trying wrong keys has to wait, while a key known before still works', async () => {
  const fresh = createApp(deps);
  echoRoutes().mountOn(fresh);
  const get = (bearer: string) => fresh.request('/v1/messages/x/thing', { headers: { authorization: `Bearer ${bearer}` } });
  expect((await get(key)).status).toBe(200);
  for (let i = 0; i < 30; i++) expect((await get(newApiKey('live'))).status).toBe(401);
  const refused = await get(newApiKey('live'));
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect((await get(key)).status).toBe(200);
});

test('an unknown field is named, with what would be right', async () => {
  const response = await post('/v1/audiences/echo', '{"audience":{"all":true},"chanels":["sms"]}');
  expect(response.status).toBe(422);
  const { code, errors } = await problemOf(response);
  expect(code).toBe('invalid_request');
  expect(errors).toEqual([{ field: 'chanels', code: 'unknown_field', detail: expect.stringContaining('channels') }]);
});

test('of very many fields that are wrong the first hundred are named, and all counted', async () => {
  const wrong = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`x${i}`, 1]));
  const response = await post('/v1/audiences/echo', JSON.stringify({ audience: { all: true }, ...wrong }));
  expect(response.status).toBe(422);
  const { errors, detail } = await problemOf(response);
  expect(errors).toHaveLength(100);
  expect(detail).toBe('The body is not valid: 1000 fields to correct, of which 100 are named.');
});

test.each([
  ['{"audience":{"near":{"lat":1,"lon":2}}}', 'audience.near.km', 'required'],
  ['{"audience":{"tags":["a"],"skils":["b"]}}', 'audience.skils', 'unknown_field'],
  ['{"audience":{"within":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}}}', 'audience.within.coordinates.0', 'invalid'],
  ['{"audience":{"and":[{"all":true},{"near":{"lat":99,"lon":2,"km":1}}]}}', 'audience.and.1.near.lat', 'too_big'],
  ['{"audience":{"everyone":true}}', 'audience', 'invalid_shape'],
  ['{"audience":{"all":true},"text":{"xx-nope!":"hi"}}', 'text.xx-nope!', 'invalid_key'],
  ['{"audience":{"all":true},"class":"urgent"}', 'class', 'invalid_value'],
  ['{"class":"life"}', 'audience', 'required'],
])('%s is refused at %s', async (body, field, code) => {
  const response = await post('/v1/audiences/echo', body);
  expect(response.status).toBe(422);
  const { errors } = await problemOf(response);
  expect(errors).toEqual([{ field, code, detail: expect.any(String) }]);
});

test('malformed JSON is told with its position and without its content', async () => {
  const response = await post('/v1/audiences/echo', '{"audience": {"all": tru "+15550001111"}}');
  expect(response.status).toBe(400);
  const problem = await problemOf(response);
  expect(problem).toMatchObject({ code: 'malformed_json', position: 21, line: 1, column: 22 });
  expect(JSON.stringify(problem)).not.toContain('1555');
});

test('another Content-Type is 415, an unknown address 404, another method 405 with Allow', async () => {
  const type = await post('/v1/audiences/echo', 'a=1', { 'content-type': 'text/plain' });
  expect(type.status).toBe(415);
  expect((await problemOf(type)).code).toBe('unsupported_media_type');
  const address = await app.request('/nowhere');
  expect(address.status).toBe(404);
  expect((await problemOf(address)).code).toBe('not_found');
  const method = await app.request('/v1/audiences/echo', { method: 'DELETE', headers: { authorization: `Bearer ${key}` } });
  expect(method.status).toBe(405);
  expect(method.headers.get('allow')).toBe('POST');
  expect((await problemOf(method)).code).toBe('method_not_allowed');
});

test('an unforeseen error tells nothing but the request id', async () => {
  const response = await post('/v1/messages/break', '{}');
  expect(response.status).toBe(500);
  const problem = await problemOf(response);
  expect(problem.code).toBe('internal_error');
  expect(JSON.stringify(problem)).not.toContain('secret');
});

test('every answer carries the security headers', async () => {
  const response = await app.request('/nowhere');
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(response.headers.get('referrer-policy')).toBe('no-referrer');
});
