import { Hono } from 'hono';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { AppEnv } from '#http/env.ts';
import { consoleRoutes } from '#http/routes/console.ts';
import { authenticateKey } from '#services/access/authenticate-key.ts';
import { listRecipients } from '#services/recipients/list-recipients.ts';
import { BrowserSession } from '#testing/browser-session.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

let tenantId: number;
let page: BrowserSession;
let token: string;
beforeEach(async () => {
  ({ tenantId } = await deps.tenant());
  const user = await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('users').select('email').executeTakeFirstOrThrow());
  page = new BrowserSession(new Hono<AppEnv>().route('/', consoleRoutes(deps)));
  await page.signIn(user.email, 'correct horse battery staple');
  token = await page.token();
});

const people = async () => (await listRecipients(deps.as(tenantId))).items;

test('a person is added, found, changed and erased', async () => {
  const added = await page.post('/people/new', { _csrf: token, name: 'Ada Okafor', phone: '+1 212 555 0142', tags: 'harbour, north', asked: 'no' });
  expect(await added.text()).toContain('Saved.');
  const [ada] = await people();
  expect(ada).toMatchObject({ name: 'Ada Okafor', phone: '+12125550142', tags: ['harbour', 'north'], consent: null });
  expect(await page.text('/people?q=okaf')).toContain('Ada Okafor');
  expect(await page.text('/people?q=nobody')).toContain('Nobody matches this search.');

  const path = `/people/${ada?.id}`;
  await page.post(path, { _csrf: token, name: 'Ada Okafor', phone: '', email: 'ADA@example.org', tags: '', asked: 'yes', consent: 'life' });
  expect((await people())[0]).toMatchObject({ phone: null, email: 'ada@example.org', tags: [], consent: ['life'] });

  expect(await (await page.post(`${path}/erase`, { _csrf: token })).text()).toContain('This person is erased.');
  expect(await people()).toEqual([]);
  expect((await page.get(path)).status).toBe(410);
});

test('a wrong field is named and what was typed stays', async () => {
  const response = await page.post('/people/new', { _csrf: token, name: 'Bob "B"', phone: '12', asked: 'no' });
  expect(response.status).toBe(422);
  const html = await response.text();
  expect(html).toContain('href="#phone"');
  expect(html).toContain('value="Bob &quot;B&quot;"');
  expect(html).toContain('aria-invalid="true"');
  expect(await people()).toEqual([]);
});

test('text that cannot be kept is refused in words', async () => {
  const added = await page.post('/people/new', { _csrf: token, name: 'A\0da', asked: 'no' });
  expect([added.status, await added.text()]).toEqual([422, expect.stringContaining('Name contains a line break or another control character')]);
  const found = await page.get('/people?q=%00');
  expect([found.status, await found.text()]).toEqual([422, expect.stringContaining('cannot be kept: a NUL')]);
  expect(await people()).toEqual([]);
});

test('an address that somebody has is refused in words, not with an id', async () => {
  await page.post('/people/new', { _csrf: token, name: 'One', phone: '+12125550142', asked: 'no' });
  const html = await (await page.post('/people/new', { _csrf: token, name: 'Two', phone: '+12125550142', asked: 'no' })).text();
  expect(html).toContain('Somebody else already has this');
  expect(html).not.toMatch(/belongs to rcp_/);
  expect(await people()).toHaveLength(1);
});

function upload(csv: string | Buffer<ArrayBuffer>, name = 'people.csv', csrf = token): Promise<Response> {
  const form = new FormData();
  form.append('_csrf', csrf);
  form.append('file', new File([csv], name, { type: 'text/csv' }));
  return page.upload('/people/import', form);
}

test('an import reports line, field and reason, and takes the good rows', async () => {
  const response = await upload('name,phone,email\r\nAda,+12125550142,\r\nBob,12,\r\nCy,,cy@@x\r\nDot,,dot@example.org\r\n');
  expect(response.status).toBe(200);
  const html = (await response.text()).replace(/\s+/g, ' ');
  expect(html).toContain('2 rows of people.csv were not taken.');
  expect(html).toMatch(/data-label="Line">3<\/td><td data-label="Field"><code>phone<\/code>/);
  expect(html).toMatch(/data-label="Line">4<\/td><td data-label="Field"><code>email<\/code>/);
  expect(new Set((await people()).map((person) => person.name))).toEqual(new Set(['Ada', 'Dot']));
});

test('the template can be imported as it is', async () => {
  const template = await page.get('/people/template.csv');
  expect(template.headers.get('content-disposition')).toContain('people.csv');
  const html = await (await upload(await template.text())).text();
  expect(html).toContain('All rows of people.csv are in.');
  expect(await people()).toHaveLength(1);
});

test.each([
  ['a form of an earlier sign-in', () => upload('name,phone\nAda,+12125550142\n', 'people.csv', 'stale'), 403],
  ['a wrong encoding', () => upload(Buffer.from('name,phone\nJos\u00e9,+12125550142\n', 'latin1')), 422],
  ['no file', () => upload('', ''), 422],
  ['an unknown column', () => upload('name,phone,shoe_size\nAda,+12125550142,38\n'), 422],
])('an upload with %s writes nothing', async (_, send, status) => {
  expect((await send()).status).toBe(status);
  expect(await people()).toEqual([]);
});

test('an API key is shown once, works, and is worthless after it was revoked', async () => {
  const made = await (await page.post('/settings/keys', { _csrf: token, name: 'Weather feed', scope: 'read' })).text();
  const key = /<code id="new-key">(mu_live_\w{44})<\/code>/.exec(made)?.[1] ?? '';
  expect(await authenticateKey(deps, key)).toMatchObject({ tenantId });
  const later = await page.text('/settings');
  expect(later).not.toContain(key);
  const revoke = /Weather feed[\s\S]*?action="(\/settings\/keys\/key_\w+\/revoke)"/.exec(later)?.[1] ?? '';
  expect(await (await page.post(revoke, { _csrf: token })).text()).toContain('Revoked');
  expect(await authenticateKey(deps, key)).toBeUndefined();
});

test('a key without a name or a scope is refused at its fields', async () => {
  const html = await (await page.post('/settings/keys', { _csrf: token, name: '', scope: 'read' })).text();
  expect(html).toContain('href="#name"');
  expect(await (await page.post('/settings/keys', { _csrf: token, name: 'x' })).text()).toContain('href="#scope-read"');
});

test('a sender that stopped itself is shown and can be tried again', async () => {
  await deps.db.withTenant(tenantId, (tx) =>
    tx
      .updateTable('senders')
      .set({ stopped_at: new Date(), stopped_reason: '20003' })
      .where('tenant_id', '=', tenantId)
      .where('channel', '=', 'sms')
      .where('drill', '=', false)
      .execute(),
  );
  expect(await page.text('/')).toContain('1 sender stopped working');
  const release = /action="(\/settings\/senders\/snd_\w+\/release)"/.exec(await page.text('/settings'))?.[1] ?? '';
  await page.post(release, { _csrf: token });
  expect(await page.text('/')).not.toContain('stopped working');
});

test('a provider that fails is shown with its code, and can be tried again at once', async () => {
  await deps.db.withTenant(tenantId, (tx) =>
    tx
      .updateTable('senders')
      .set({ breaker_opened_at: new Date(), breaker_code: 'ECONNREFUSED', breaker_run: 12 })
      .where('tenant_id', '=', tenantId)
      .where('channel', '=', 'email')
      .where('drill', '=', false)
      .execute(),
  );
  expect(await page.text('/')).toContain('A provider fails:');
  const settings = await page.text('/settings');
  expect(settings).toMatch(/Provider fails<\/span> <span class="small">ECONNREFUSED since/);
  await page.post(/action="(\/settings\/senders\/snd_\w+\/release)"/.exec(settings)?.[1] ?? '', { _csrf: token });
  expect(await page.text('/')).not.toContain('A provider fails');
  expect(
    (await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('senders').select('breaker_run').where('channel', '=', 'email').execute())).every(
      (row) => row.breaker_run === 0,
    ),
  ).toBe(true);
});

test('a channel is stopped and released by itself', async () => {
  const channels = () => deps.db.withTenant(tenantId, (tx) => tx.selectFrom('tenants').select('stopped_channels').executeTakeFirstOrThrow());
  expect(await (await page.post('/settings/channels/sms', { _csrf: token, release: 'no' })).text()).toContain('Release SMS');
  expect(String((await channels()).stopped_channels)).toContain('sms');
  expect(await (await page.post('/settings/channels/sms', { _csrf: token, release: 'yes' })).text()).toContain('Stop SMS');
  expect((await page.post('/settings/channels/pigeon', { _csrf: token, release: 'no' })).status).toBe(404);
});

test('assets are named by their content and kept for ever; any other name is not there', async () => {
  const html = await page.text('/');
  const paths = [...html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map((match) => match[1] ?? '');
  expect(paths.length).toBeGreaterThanOrEqual(4);
  for (const path of paths) {
    const response = await page.get(path, { 'accept-encoding': 'gzip, br' });
    expect(response.status, path).toBe(200);
    expect(response.headers.get('cache-control')).toContain('immutable');
    expect(response.headers.get('content-encoding')).toBe('br');
  }
  expect((await page.get('/assets/console.000000000000.css')).status).toBe(404);
});

const become = (operator: boolean) =>
  deps.db.withTenant(tenantId, (tx) => tx.updateTable('users').set({ operator }).where('tenant_id', '=', tenantId).execute());

test('an administrator who is no operator is not offered the whole installation, and is refused it', async () => {
  expect(await page.text('/stop')).not.toContain('the whole installation');
  expect((await page.get('/stop?scope=installation')).status).toBe(403);
  const refused = await page.post('/stop', { _csrf: token, scope: 'installation' });
  expect([refused.status, (await refused.text()).includes('Only an operator of this installation')]).toEqual([403, true]);
  expect(await page.text('/settings')).not.toContain('Stop and release the whole installation');
  await deps.db.across.updateTable('installation').set({ stopped_at: new Date(), stopped_by: 'user:1' }).execute();
  const overview = await page.text('/');
  expect(overview).toContain('An operator of it releases it');
  expect(overview).not.toContain('href="/stop?scope=installation"');
  await deps.db.across.updateTable('installation').set({ stopped_at: null, stopped_by: null }).execute();
});

test('an operator stops the whole installation, and a channel with the number of calls that are on the way', async () => {
  await become(true);
  expect(await page.text('/settings')).toContain('Stop and release the whole installation');
  expect(await page.text('/stop?scope=installation')).toContain('Stop the whole installation now');
  const stopped = await page.post('/stop', { _csrf: token, scope: 'installation' });
  expect(await stopped.text()).toContain('No call was on the way.');
  expect(await page.text('/')).toContain('All sending of this installation is stopped');
  expect(await page.text('/stop?scope=installation')).toContain('Release the whole installation');
  await page.post('/stop', { _csrf: token, scope: 'installation', release: 'yes' });
  expect(await page.text('/')).not.toContain('All sending of this installation is stopped');
  expect(await (await page.post('/settings/channels/sms', { _csrf: token, release: 'no' })).text()).toContain('No call was on the way.');
  await page.post('/settings/channels/sms', { _csrf: token, release: 'yes' });
});

test('a restored installation says so plainly, and an operator releases it', async () => {
  await become(true);
  await deps.db.across.updateTable('installation').set({ stopped_at: new Date(), stopped_by: 'restore', stopped_reason: 'another_database' }).execute();
  for (const path of ['/', '/settings']) expect(await page.text(path), path).toContain('restored from a backup (it is another database than before)');
  expect(await page.text('/stop?scope=installation')).toContain('What was sent after the backup is not known here');
  await page.post('/stop', { _csrf: token, scope: 'installation', release: 'yes' });
  expect(await page.text('/')).not.toContain('restored from a backup');
});
