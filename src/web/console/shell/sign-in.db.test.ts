import { Hono } from 'hono';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppEnv } from '#http/env.ts';
import { consoleRoutes } from '#http/routes/console.ts';
import { BrowserSession } from '#testing/browser-session.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

const PASSWORD = 'correct horse battery staple';
let deps: TestDeps;
let admin: { tenantId: number; userId: string };
let email: string;
beforeAll(async () => {
  deps = await createTestDeps();
  admin = await deps.tenant();
  const user = await deps.db.withTenant(admin.tenantId, (tx) => tx.selectFrom('users').select('email').executeTakeFirstOrThrow());
  email = user.email;
});
afterAll(() => deps.close());

/** Each test has a console of its own, since the throttle of one must not reach another. */
const browser = (): BrowserSession => new BrowserSession(new Hono<AppEnv>().route('/', consoleRoutes(deps)));

const sessions = () => deps.db.withTenant(admin.tenantId, (tx) => tx.selectFrom('sessions').selectAll().execute());

test('nobody sees a page without signing in, and goes on to it afterwards', async () => {
  const visitor = browser();
  const response = await visitor.get('/people?q=Ada');
  expect(response.status).toBe(200);
  const page = await response.text();
  expect(page).toContain('<h1>Sign in</h1>');
  expect(page).toContain('name="next" value="/people?q=Ada"');
  const inside = await visitor.post('/sign-in', { email, password: PASSWORD, next: '/people?q=Ada' });
  expect(await inside.text()).toContain('<h1>People</h1>');
});

test('a wrong password and an unknown person are refused with the same words', async () => {
  const visitor = browser();
  const wrong = await visitor.post('/sign-in', { email, password: 'wrong' });
  expect(wrong.status).toBe(401);
  const page = await wrong.text();
  expect(page).toContain('The e-mail address or the password is wrong.');
  expect(page).toContain(`value="${email}"`);
  expect(page).not.toContain('value="wrong"');
  expect(visitor.cookie).toBe('');
  const unknown = await visitor.post('/sign-in', { email: 'nobody@example.test', password: 'wrong' });
  expect(unknown.status).toBe(401);
  expect(await unknown.text()).toContain('The e-mail address or the password is wrong.');
});

test('the sixth try within a quarter of an hour is not even looked at', async () => {
  const visitor = browser();
  for (let i = 0; i < 5; i++) expect((await visitor.post('/sign-in', { email, password: `guess ${i}` })).status).toBe(401);
  const sixth = await visitor.post('/sign-in', { email, password: PASSWORD });
  expect(sixth.status).toBe(429);
  expect(Number(sixth.headers.get('retry-after'))).toBeGreaterThan(60);
  expect(visitor.cookie).toBe('');
});

test('the cookie is opaque, closed to scripts, and only its hash is stored', async () => {
  const visitor = browser();
  const response = await visitor.post('/sign-in', { email, password: PASSWORD }, { follow: false });
  const cookie = response.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/^muster=[\w-]{43}; /);
  expect(cookie).toContain('HttpOnly');
  expect(cookie).toContain('SameSite=Lax');
  const token = cookie.slice('muster='.length, 'muster='.length + 43);
  for (const session of await sessions()) expect(session.id_hash.toString('base64url')).not.toBe(token);
});

test('signing in again makes the former token worthless', async () => {
  const visitor = browser();
  await visitor.signIn(email, PASSWORD);
  const former = visitor.cookie;
  await visitor.signIn(email, PASSWORD);
  expect(visitor.cookie).not.toBe(former);
  const thief = browser();
  thief.cookie = former;
  expect(await thief.text('/')).toContain('<h1>Sign in</h1>');
  expect(await visitor.text('/')).toContain('<h1>Overview</h1>');
});

test('signing out ends the session on the server', async () => {
  const visitor = browser();
  await visitor.signIn(email, PASSWORD);
  const { cookie } = visitor;
  await visitor.post('/sign-out', { _csrf: await visitor.token() });
  expect(visitor.cookie).toBe('');
  visitor.cookie = cookie;
  expect(await visitor.text('/')).toContain('<h1>Sign in</h1>');
});

test.each([
  ['30 minutes without use', sql`last_seen_at = now() - interval '31 minutes'`],
  ['12 hours in all', sql`expires_at = now() - interval '1 second'`],
])('a session ends after %s', async (_, change) => {
  const visitor = browser();
  await visitor.signIn(email, PASSWORD);
  expect(await visitor.text('/')).toContain('<h1>Overview</h1>');
  await deps.db.withTenant(admin.tenantId, (tx) => sql`UPDATE sessions SET ${change} WHERE tenant_id = ${admin.tenantId}`.execute(tx));
  const page = await visitor.text('/messages');
  expect(page).toContain('<h1>Sign in</h1>');
  expect(page).toContain('You were signed out');
});

test('a session of a disabled person ends at once', async () => {
  const other = await deps.tenant();
  const user = await deps.db.withTenant(other.tenantId, (tx) => tx.selectFrom('users').select('email').executeTakeFirstOrThrow());
  const visitor = browser();
  await visitor.signIn(user.email, PASSWORD);
  await deps.db.withTenant(other.tenantId, (tx) => tx.updateTable('users').set({ disabled_at: sql`now()` }).where('tenant_id', '=', other.tenantId).execute());
  expect(await visitor.text('/')).toContain('<h1>Sign in</h1>');
});

test.each([
  ['without a token', { _csrf: '' }, {}],
  ['with the token of nobody', { _csrf: 'A'.repeat(43) }, {}],
])('a form %s changes nothing', async (_, fields, headers) => {
  const visitor = browser();
  await visitor.signIn(email, PASSWORD);
  const response = await visitor.post('/stop', fields, { headers });
  expect(response.status).toBe(403);
  expect((await deps.db.withTenant(admin.tenantId, (tx) => tx.selectFrom('tenants').select('stopped_at').executeTakeFirstOrThrow())).stopped_at).toBeNull();
});

test.each([
  ['another site says so itself', { 'sec-fetch-site': 'cross-site' }],
  ['a sister site of the same domain', { 'sec-fetch-site': 'same-site' }],
  ['an old browser names another origin', { 'sec-fetch-site': '', origin: 'https://evil.example' }],
  ['a sandboxed frame hides its origin', { 'sec-fetch-site': '', origin: 'null' }],
  ['nothing tells where it came from', { 'sec-fetch-site': '', origin: '' }],
])('a form is refused even with the right token when %s', async (_, overrides) => {
  const app = new Hono<AppEnv>().route('/', consoleRoutes(deps));
  const visitor = new BrowserSession(app);
  await visitor.signIn(email, PASSWORD);
  const headers = new Headers({ 'content-type': 'application/x-www-form-urlencoded', cookie: visitor.cookie });
  for (const [name, value] of Object.entries(overrides)) if (value !== '') headers.set(name, value);
  const body = new URLSearchParams({ _csrf: await visitor.token() }).toString();
  const response = await app.request('http://127.0.0.1:8080/stop', { method: 'POST', body, headers });
  expect(response.status).toBe(403);
  expect((await deps.db.withTenant(admin.tenantId, (tx) => tx.selectFrom('tenants').select('stopped_at').executeTakeFirstOrThrow())).stopped_at).toBeNull();
});

test('after signing in, one goes nowhere but to this console', async () => {
  for (const next of ['https://evil.example/', '//evil.example/', '/\\evil.example', 'javascript:alert(1)']) {
    const response = await browser().post('/sign-in', { email, password: PASSWORD, next }, { follow: false });
    expect(response.headers.get('location')).toBe('/');
  }
});

test('on https the cookie is bound to its host and to TLS', async () => {
  const secure = { ...deps, config: { ...deps.config, publicUrl: 'https://muster.example' } };
  const app = new Hono<AppEnv>().route('/', consoleRoutes(secure));
  const body = new URLSearchParams({ email, password: PASSWORD }).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://muster.example' };
  const response = await app.request('https://muster.example/sign-in', { method: 'POST', body, headers });
  expect(response.headers.get('set-cookie')).toMatch(/^__Host-muster=[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
});

test('every page forbids frames, inline scripts and foreign sources', async () => {
  const csp = (await browser().get('/sign-in')).headers.get('content-security-policy') ?? '';
  expect(csp).toContain("default-src 'none'");
  expect(csp).toContain("script-src 'self'");
  expect(csp).toContain("frame-ancestors 'none'");
  expect(csp).not.toContain('unsafe');
});

test('what a stranger sends to sign in costs little, whatever it is', async () => {
  const visitor = browser();
  for (const odd of ['a\0b@example.test', `${'x'.repeat(100_000)}@example.test`])
    expect((await visitor.post('/sign-in', { email: odd, password: 'x' })).status).toBe(401);
  const app = new Hono<AppEnv>().route('/', consoleRoutes(deps));
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' };
  const started = performance.now();
  expect((await app.request('/sign-in', { method: 'POST', headers, body: 'a&'.repeat(500_000) })).status).toBe(413);
  // Taking such a form apart held the process up for 4 s.
  expect(performance.now() - started).toBeLessThan(1_000);
});
