import { Hono } from 'hono';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { AppEnv } from '#http/env.ts';
import { progressHub } from '#http/progress-hub.ts';
import { consoleRoutes } from '#http/routes/console.ts';
import { getSettings } from '#services/organisations/get-settings.ts';
import { BrowserSession } from '#testing/browser-session.ts';
import { Bench, carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(async () => {
  await progressHub(deps).close();
  await deps.close();
});

let tenantId: number;
let page: BrowserSession;
let token: string;
let numbers = 0;
beforeEach(async () => {
  numbers += 1;
  ({ tenantId } = await deps.tenant({
    policy: { approvalAbove: { life: null, ops: null, bulk: null } },
    senders: [{ channel: 'sms', name: 'SMS', address: `+1555666${1000 + numbers}`, unitsPerSecond: 100 }],
  }));
  const user = await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('users').select('email').executeTakeFirstOrThrow());
  page = new BrowserSession(new Hono<AppEnv>().route('/', consoleRoutes(deps)));
  await page.signIn(user.email, 'correct horse battery staple');
  token = await page.token();
});

const organisation = (change: Record<string, string> = {}) => ({
  _csrf: token,
  'org-name': 'Fell Rescue',
  'org-locale': 'en-GB',
  'org-country': 'gb',
  'org-zone': 'Europe/London',
  'quiet-from': '21:00',
  'quiet-to': '08:00',
  ...change,
});

test('an administrator sets zone, language and quiet hours; what is wrong is named and stays as typed', async () => {
  const saved = await page.post('/settings/organisation', organisation());
  expect(await saved.text()).toContain('Saved.');
  const settings = {
    name: 'Fell Rescue',
    defaultLocale: 'en-GB',
    defaultCountry: 'GB',
    timeZone: 'Europe/London',
    quietHours: { from: '21:00', to: '08:00' },
  };
  expect(await getSettings(deps.as(tenantId))).toMatchObject(settings);
  const refused = await page.post('/settings/organisation', organisation({ 'org-zone': 'Mars/Olympus', 'quiet-to': '25:00' }));
  expect(refused.status).toBe(422);
  const html = await refused.text();
  for (const part of ['href="#org-zone"', 'value="Mars/Olympus"', 'href="#quiet-to"', 'value="25:00"']) expect(html).toContain(part);
  expect(await getSettings(deps.as(tenantId))).toMatchObject(settings);
  await page.post('/settings/organisation', organisation({ 'org-zone': '', 'quiet-from': '', 'quiet-to': '' }));
  expect(await getSettings(deps.as(tenantId))).toMatchObject({ timeZone: null, quietHours: null });
});

test('the composer says when the last person is reached, and the board sets the fact beside it', async () => {
  const bench = new Bench(deps, deps.as(tenantId));
  await bench.people(10_000, { phone: true });
  const form = {
    _csrf: token,
    class: 'ops',
    drill: 'no',
    title: '',
    'locale-0': 'en',
    'text-0': 'x'.repeat(200),
    who: 'all',
    'channel-0': 'sms',
    'channel-1': '',
    'channel-2': '',
    expires: '1',
  };
  const shown = await (await page.post('/messages/preview', form)).text();
  expect(shown).toContain('The last person in about 3 min 20 s.');
  expect(shown).toContain('last in 3 min 20 s, 100 parts a second');
  await deps.db.withTenant(tenantId, (tx) => tx.updateTable('senders').set({ units_per_second: 1 }).execute());
  const slow = await (await page.post('/messages/preview', form)).text();
  expect(slow).toContain('The last person in about 5 h 33 min.');
  expect(slow).toContain('comes only after the message has ended');

  await deps.db.withTenant(tenantId, (tx) => tx.updateTable('senders').set({ units_per_second: 50_000 }).execute());
  await deps.db.withTenant(tenantId, (tx) => tx.deleteFrom('recipients').where('phone', 'not like', '%0').execute());
  const message = await bench.launch('ops', { channels: ['sms'], text: { en: 'x'.repeat(200) } });
  await bench.work(
    carriers(() => ({ kind: 'accepted', providerId: 'p', units: 2 })),
    'ops',
  );
  const board = (await page.text(`/messages/${message.id}`)).replace(/\s+/g, ' ');
  expect(board).toContain('Forecast and fact');
  expect(board).toMatch(/data-label="Forecast">1 s<\/td><td class="num" data-label="In fact">[^<]+ s<\/td> <td class="num" data-label="Units forecast">2,000/);
  expect(board).toContain('data-label="Units used">2,000');
});
