import { Hono } from 'hono';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { AppEnv } from '#http/env.ts';
import { progressHub } from '#http/progress-hub.ts';
import { consoleRoutes } from '#http/routes/console.ts';
import { messageInputSchema } from '#schemas/message.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { launchMessage } from '#services/messages/launch-message.ts';
import { BrowserSession } from '#testing/browser-session.ts';
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
beforeEach(async () => {
  ({ tenantId } = await deps.tenant());
  await createRecipient(deps.as(tenantId), { phone: '+12125550101' });
  const user = await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('users').select('email').executeTakeFirstOrThrow());
  page = new BrowserSession(new Hono<AppEnv>().route('/', consoleRoutes(deps)));
  await page.signIn(user.email, 'correct horse battery staple');
  token = await page.token();
});

const input = { class: 'ops', title: 'Flood', text: { en: 'Leave Harbour Street' }, audience: { all: true }, channels: ['sms'] };
const draft = (more: object = {}) => createMessage(deps.as(tenantId), messageInputSchema.parse({ ...input, ...more }));
const form = (change: Record<string, string> = {}) => ({
  _csrf: token,
  do: 'save',
  class: 'ops',
  drill: 'no',
  title: 'Flood',
  'locale-0': 'en',
  'text-0': 'Leave Harbour Street',
  who: 'all',
  'channel-0': 'sms',
  'channel-1': '',
  'channel-2': '',
  startOffset: '0',
  expires: 'keep',
  ...change,
});

test('a draft opens in the composer as it is, and is saved under its own address', async () => {
  const startAt = new Date(deps.clock.now() + 3_600_000).toISOString().slice(0, 16);
  const { id } = await draft({ startAt: `${startAt}:00Z` });
  const html = await page.text(`/messages/${id}/edit`);
  for (const part of ['Change this draft', 'value="Flood"', 'Leave Harbour Street</textarea>', `value="${startAt}"`, 'as it is:']) expect(html).toContain(part);
  const before = await getMessage(deps.as(tenantId), id);
  const saved = await page.post(`/messages/${id}/edit`, form({ 'text-0': 'Leave Low Road', start: startAt }), { follow: false });
  expect([saved.status, saved.headers.get('location')]).toEqual([303, `/messages/${id}`]);
  const after = await getMessage(deps.as(tenantId), id);
  expect(after).toEqual({ ...before, text: { en: 'Leave Low Road' } });
});

test('what the form cannot show stays as it is, and a drill stays a drill', async () => {
  const plan = [
    { channels: ['push', 'email'], mode: 'parallel', afterSeconds: 0, to: 'all' },
    { channels: ['sms'], mode: 'first', afterSeconds: 90, to: 'not_answered' },
    { channels: ['email'], mode: 'first', afterSeconds: 600, to: 'not_answered' },
  ];
  const { id } = await draft({ channels: { plan }, drill: true });
  const html = await page.text(`/messages/${id}/edit`);
  expect(html).toContain('This is an exercise and stays one.');
  const chosen = (name: string) => new RegExp(`<select[^>]*name="${name}"[^>]*>[\\s\\S]*?<option value="([^"]*)" selected`).exec(html)?.[1] ?? '';
  const names = ['channel-0', 'channel-1', 'channel-2', 'then-channel', 'then-to'];
  const shown = Object.fromEntries(names.map((name) => [name, chosen(name)]));
  const minutes = /name="then-after"[^>]*value="(\d+)"/.exec(html)?.[1] ?? '';
  await page.post(`/messages/${id}/edit`, form({ ...shown, 'then-after': minutes, title: 'Dike', drill: 'no' }));
  expect(await getMessage(deps.as(tenantId), id)).toMatchObject({ title: 'Dike', drill: true, plan });
});

test('a wrong change keeps what was typed and names the field; a launched message shows its board', async () => {
  const { id } = await draft();
  const refused = await page.post(`/messages/${id}/edit`, form({ 'text-0': '', title: 'Typed' }));
  const html = await refused.text();
  expect(refused.status).toBe(422);
  for (const part of ['href="#text-0"', 'value="Typed"', `action="/messages/${id}/edit"`]) expect(html).toContain(part);
  await launchMessage(deps.as(tenantId), id);
  const late = await page.post(`/messages/${id}/edit`, form({ title: 'Too late' }), { follow: false });
  expect([late.status, late.headers.get('location')]).toEqual([303, `/messages/${id}`]);
  expect((await getMessage(deps.as(tenantId), id)).title).toBe('Flood');
});

test('what another coordinator saved meanwhile is shown, and replaced only when one saves again', async () => {
  const { id } = await draft();
  const tagOf = (html: string): string => (/name="tag" value="([^"]*)"/.exec(html)?.[1] ?? '').replaceAll('&quot;', '"');
  const opened = tagOf(await page.text(`/messages/${id}/edit`));
  await page.post(`/messages/${id}/edit`, form({ tag: opened, 'text-0': 'Leave Low Road' }));
  // Asking for the preview in between does not make the form newer than what its writer has seen.
  const checked = await page.post(`/messages/${id}/edit`, form({ tag: opened, do: 'check', 'text-0': 'Leave High Road' }));
  expect(tagOf(await checked.text())).toBe(opened);
  const late = await page.post(`/messages/${id}/edit`, form({ tag: opened, 'text-0': 'Leave High Road' }));
  const html = await late.text();
  for (const part of ['It now says: “Leave Low Road”', 'Leave High Road</textarea>']) expect(html).toContain(part);
  expect((await getMessage(deps.as(tenantId), id)).text).toEqual({ en: 'Leave Low Road' });
  await page.post(`/messages/${id}/edit`, form({ tag: tagOf(html), 'text-0': 'Leave High Road' }));
  expect((await getMessage(deps.as(tenantId), id)).text).toEqual({ en: 'Leave High Road' });
});
