import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import { openDatabase } from '#db/database.ts';
import { messageInputSchema } from '#schemas/message.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { requestsOf } from '#testing/people-who-act.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

test('live and ready, without a key', async () => {
  const app = createApp(deps, { queue: { backend: 'redis', health: () => Promise.resolve('up') } });
  expect((await app.request('/livez')).status).toBe(200);
  const ready = await app.request('/readyz');
  expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready', degraded: [] }]);
});

test('Redis down is degraded, not unready', async () => {
  const app = createApp(deps, { queue: { backend: 'redis', health: () => Promise.resolve('down') } });
  const ready = await app.request('/readyz');
  expect([ready.status, await ready.json()]).toEqual([200, { status: 'degraded', degraded: ['redis'] }]);
});

test('restored from a backup is degraded, until an operator releases it by the API', async () => {
  const { apiKey } = await deps.tenant({ operator: true });
  const set = (by: string | null) =>
    deps.db.across.updateTable('installation').set({ stopped_at: new Date(), stopped_by: by, stopped_reason: 'went_back' }).execute();
  await set('restore');
  expect(await (await createApp(deps).request('/readyz')).json()).toEqual({ status: 'degraded', degraded: ['restored'] });
  const released = await requestsOf(createApp(deps), apiKey)('POST', '/stop', { scope: 'installation', release: true });
  expect(released.status).toBe(200);
  expect(await (await createApp(deps).request('/readyz')).json()).toEqual({ status: 'ready', degraded: [] });
});

test('without its database the API is alive, not ready, and answers 503 with Retry-After', async () => {
  const { apiKey } = await deps.tenant();
  const away = { ...deps, db: openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none', role: 'muster_api', max: 2, name: 'away', log: deps.log }) };
  const app = createApp(away);
  for (const [path, headers] of [
    ['/readyz', {}],
    ['/v1/messages', { authorization: `Bearer ${apiKey}` }],
  ] as const) {
    const response = await app.request(path, { headers });
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ code: 'unavailable', status: 503 });
  }
  const token = away.tokens.seal('answer', { a: 1, b: 1, extra: 0 });
  const person = await app.request(`/r/${token}`, { headers: { accept: 'text/html,*/*;q=0.8', 'accept-language': 'de' } });
  expect([person.status, person.headers.get('content-type'), Number(person.headers.get('retry-after')) > 0]).toEqual([503, 'text/html; charset=UTF-8', true]);
  expect(await person.text()).toContain('<html lang="de" dir="ltr">');
  expect((await app.request('/livez')).status).toBe(200);
  expect(await (await app.request('/metrics')).text()).toContain('muster_store_up 0');
  await away.db.close();
});

test('an address that leads nowhere says so as a page to people, and as JSON to programs', async () => {
  const app = createApp(deps);
  const browser = { accept: 'text/html,application/xhtml+xml', 'accept-language': 'fr-CA' };
  for (const [path, method, status] of [
    ['/nothing/here', 'GET', 404],
    ['/r/', 'GET', 404],
    ['/r/abc', 'DELETE', 405],
  ] as const) {
    const page = await app.request(path, { method, headers: browser });
    expect([path, page.status, page.headers.get('content-type')]).toEqual([path, status, 'text/html; charset=UTF-8']);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await page.text()).toContain('Il n&#39;y a rien à cette adresse. Si vous avez suivi un lien, vérifiez qu&#39;il est complet.');
    const program = await app.request(path, { method, headers: { accept: '*/*' } });
    expect([path, program.status, program.headers.get('content-type')]).toEqual([path, status, 'application/problem+json']);
  }
  expect((await app.request('/r/abc', { method: 'DELETE', headers: browser })).headers.get('allow')).toBe('GET, HEAD, POST');
  for (const path of ['/v1/nothing', '/v1', '/hooks/nothing'])
    expect((await app.request(path, { headers: browser })).headers.get('content-type'), path).toBe('application/problem+json');
});

test('metrics count by route pattern and tell of nobody', async () => {
  const { tenantId, apiKey } = await deps.tenant();
  const ctx = deps.as(tenantId);
  await deps.db.withTenant(tenantId, (tx) =>
    tx.insertInto('recipients').values({ tenant_id: tenantId, name: 'Canary Person', phone: '+15559998877' }).execute(),
  );
  const { id } = await createMessage(
    ctx,
    messageInputSchema.parse({
      class: 'life',
      text: { en: 'Canary text' },
      audience: { all: true },
      channels: ['sms'],
      launch: true,
      expiresAt: new Date(deps.clock.now() + 3_600_000).toISOString(),
    }),
  );
  const app = createApp(deps);
  await app.request(`/v1/messages/${id}`, { headers: { authorization: `Bearer ${apiKey}` } });
  await app.request(`/nowhere/${id}?phone=%2B15559998877`);
  const text = await (await app.request('/metrics')).text();
  expect(text).toMatch(/muster_http_seconds_count\{route="\/v1\/messages\/:id",method="GET",status="200"\} 1/);
  expect(text).toMatch(/muster_http_seconds_count\{route="none",method="GET",status="404"\} 1/);
  expect(text).toContain('muster_messages_live{lane="life"} 1');
  expect(text).toContain('muster_oldest_due_seconds{lane="life"} 0');
  for (const canary of [id, '15559998877', 'Canary', apiKey]) expect(text).not.toContain(canary);
});

test('senders that stopped themselves and providers that fail are counted, each once', async () => {
  const { tenantId } = await deps.tenant();
  const set = (channel: 'sms' | 'email' | 'push', values: Record<string, unknown>) =>
    deps.db.withTenant(tenantId, (tx) =>
      tx.updateTable('senders').set(values).where('tenant_id', '=', tenantId).where('channel', '=', channel).where('drill', '=', false).execute(),
    );
  await set('sms', { stopped_at: new Date(), stopped_reason: '20003', breaker_opened_at: new Date() });
  await set('email', { breaker_opened_at: new Date(), breaker_probe_at: new Date() });
  // Nobody has tried this sender for ten minutes, since nothing waits for it.
  await set('push', { breaker_opened_at: new Date(), breaker_probe_at: new Date(Date.now() - 600_000) });
  const text = await (await createApp(deps).request('/metrics')).text();
  expect(text).toContain('muster_senders_stopped{channel="sms"} 1');
  expect(text).toContain('muster_senders_failing{channel="email"} 1');
  for (const channel of ['sms', 'push']) expect(text).not.toContain(`muster_senders_failing{channel="${channel}"}`);
});

test('the documentation is a page without script or anything from elsewhere', async () => {
  const response = await createApp(deps).request('/docs');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'; style-src 'sha256-");
  const page = await response.text();
  expect(page).toContain('/v1/messages/{id}/launch');
  expect(page).toContain('<li><code>limit</code> (query): 1 to 1000</li>');
  expect(page).toMatch(/<details><summary>Refusals<\/summary><p><code>401<\/code>/);
  expect(page).not.toMatch(/<script|src=|https?:\/\/(?!json-schema)/);
});
