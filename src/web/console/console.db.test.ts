import { Hono } from 'hono';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AppEnv } from '#http/env.ts';
import { progressHub } from '#http/progress-hub.ts';
import { consoleRoutes } from '#http/routes/console.ts';
import { hashPassword } from '#platform/password.ts';
import type { UserRole } from '#schemas/delivery.ts';
import type { Scope } from '#services/context.ts';
import { BrowserSession } from '#testing/browser-session.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { Pages } from './shell/pages.ts';
import { SECTIONS } from './shell/sections.ts';

/** What a person needs for each address. A change here is a change of who may see or do what. */
const PAGES: Readonly<Record<string, Scope>> = {
  'GET /': 'read',
  'GET /messages': 'read',
  'GET /messages/:id': 'read',
  'GET /messages/:id/answers': 'read',
  'GET /messages/:id/answers.csv': 'read',
  'GET /messages/:id/approve': 'read',
  'POST /messages/:id/approve': 'write',
  'GET /messages/:id/correct': 'write',
  'POST /messages/:id/correct': 'write',
  'GET /messages/:id/deliveries': 'read',
  'GET /messages/:id/deliveries.csv': 'read',
  'GET /messages/:id/edit': 'write',
  'POST /messages/:id/edit': 'write',
  'GET /messages/:id/launch': 'read',
  'POST /messages/:id/launch': 'write',
  'GET /messages/:id/stop': 'read',
  'POST /messages/:id/stop': 'write',
  'GET /messages/:id/stream': 'read',
  'GET /messages/new': 'write',
  'POST /messages/new': 'write',
  'POST /messages/preview': 'read',
  'GET /people': 'read',
  'GET /people/:id': 'read',
  'POST /people/:id': 'write',
  'POST /people/:id/erase': 'write',
  'GET /people/import': 'write',
  'POST /people/import': 'write',
  'GET /people/imports/:id': 'read',
  'POST /people/imports/:id/acknowledge': 'write',
  'GET /people/new': 'write',
  'POST /people/new': 'write',
  'GET /people/template.csv': 'read',
  'GET /settings': 'read',
  'POST /settings/channels/:channel': 'write',
  'POST /settings/keys': 'admin',
  'POST /settings/keys/:id/revoke': 'admin',
  'POST /settings/organisation': 'admin',
  'POST /settings/senders/:id/release': 'admin',
  'POST /sign-out': 'read',
  'GET /stop': 'write',
  'POST /stop': 'write',
  'POST /texts/:id/handled': 'write',
};
const OPEN = ['GET /assets/:file', 'GET /sign-in', 'POST /sign-in'];

const PASSWORD = 'correct horse battery staple';
let deps: TestDeps;
let tenantId: number;
let app: Hono<AppEnv>;
let messageId: string;
beforeAll(async () => {
  deps = await createTestDeps();
  ({ tenantId } = await deps.tenant());
  app = new Hono<AppEnv>().route('/', consoleRoutes(deps));
  const passwordHash = await hashPassword(PASSWORD);
  await deps.db.withTenant(tenantId, (tx) =>
    tx
      .insertInto('users')
      .values(
        (['viewer', 'coordinator'] as const).map((role) => ({
          tenant_id: tenantId,
          email: `${role}@example.test`,
          name: role,
          password_hash: passwordHash,
          role,
        })),
      )
      .execute(),
  );
  const bench = new LaneByHand(deps, deps.as(tenantId));
  await bench.people(1, { phone: true });
  messageId = (await bench.launch('ops', { channels: ['sms'] })).id;
});
afterAll(async () => {
  await progressHub(deps).close();
  await deps.close();
});

async function signedIn(role: UserRole, to = app): Promise<{ browser: BrowserSession; token: string }> {
  const browser = new BrowserSession(to);
  await browser.signIn(`${role}@example.test`, PASSWORD);
  return { browser, token: await browser.token() };
}

async function open(browser: BrowserSession, page: string, token = ''): Promise<Response> {
  const [method, pattern = ''] = page.split(' ');
  const path = pattern.replace('/messages/:id', `/messages/${messageId}`).replace(/:\w+/g, 'none');
  const response = method === 'GET' ? await browser.get(path, {}, { follow: false }) : await browser.post(path, { _csrf: token }, { follow: false });
  await response.body?.cancel();
  return response;
}

test('every address of the console is in the table, with the scope that it needs', () => {
  const served = app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`);
  expect(new Set(served)).toEqual(new Set([...OPEN, ...Object.keys(PAGES)]));
});

test.each(Object.keys(PAGES))('%s leads a visitor to sign in', async (page) => {
  const response = await open(new BrowserSession(app), page);
  expect([response.status, response.headers.get('location')]).toEqual([303, expect.stringMatching(/^\/sign-in(\?|$)/)]);
});

test('a viewer and a coordinator are refused each address whose scope they do not have, and no other', async () => {
  const may = { viewer: ['read'], coordinator: ['read', 'write'] } as const;
  for (const role of ['viewer', 'coordinator'] as const)
    for (const [page, scope] of Object.entries(PAGES)) {
      // Signing out ends the session, so each address is asked for with one of its own there.
      const { browser, token } = await session(role, page);
      const { status } = await open(browser, page, token);
      if ((may[role] as readonly Scope[]).includes(scope)) expect(status, `${role}: ${page}`).not.toBe(403);
      else expect(status, `${role}: ${page}`).toBe(403);
    }
});

const sessions = new Map<UserRole, ReturnType<typeof signedIn>>();
function session(role: UserRole, page: string): ReturnType<typeof signedIn> {
  if (page === 'POST /sign-out') return signedIn(role);
  const known = sessions.get(role) ?? signedIn(role);
  sessions.set(role, known);
  return known;
}

test.each(Object.keys(PAGES).filter((page) => page.startsWith('POST')))('%s takes nothing without the form token, however it is sent', async (page) => {
  const { browser } = await session('coordinator', page);
  const [, pattern = ''] = page.split(' ');
  const path = pattern.replace('/messages/:id', `/messages/${messageId}`).replace(/:\w+/g, 'none');
  const file = new FormData();
  file.append('file', new File(['name\nAda\n'], 'people.csv'));
  for (const response of [await open(browser, page, 'wrong'), await browser.upload(path, file)]) expect([403, 415]).toContain(response.status);
});

test('an address below a section leads a visitor to sign in, also one that is not there; any other is not there', async () => {
  const visitor = new BrowserSession(app);
  for (const path of ['/messages/a/b/c', '/people/', '/settings/none', '/texts']) expect(await visitor.text(path), path).toContain('<h1>Sign in</h1>');
  expect((await visitor.post('/', {}, { follow: false })).headers.get('location')).toBe('/sign-in');
  for (const path of ['/nowhere', '//people', '/assets/none', '/sign-in/more']) expect((await visitor.get(path)).status, path).toBe(404);
});

test('the navigation has every section, and each leads to a page of its own name', async () => {
  const { browser } = await session('viewer', '');
  for (const { path, label } of Object.values(SECTIONS)) {
    const page = await browser.text(path);
    expect(page).toContain(`<h1>${label}</h1>`);
    expect(page).toContain(`<a href="${path}" aria-current="page">${label}</a>`);
  }
});

test('a page without a scope is a type error; one that comes in another way is behind the session, and is served to nobody', async () => {
  // @ts-expect-error -- a scope must be stated
  new Pages().get('/careless', (c) => c.text('secret'));
  // @ts-expect-error -- and one that there is
  new Pages().post('/careless', 'all', (c) => c.text('secret'));

  const console = consoleRoutes(deps);
  console.get('/careless', (c) => c.text('secret'));
  const careless = new Hono<AppEnv>().route('/', console);
  expect(await new BrowserSession(careless).text('/careless')).toContain('<h1>Sign in</h1>');
  const { browser } = await signedIn('coordinator', careless);
  const response = await browser.get('/careless');
  expect([response.status, await response.text()]).toEqual([500, expect.not.stringContaining('secret')]);
});
