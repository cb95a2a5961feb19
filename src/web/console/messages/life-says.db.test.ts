import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { messageInputSchema } from '#schemas/message.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { getSettings } from '#services/organisations/get-settings.ts';
import { listMessages } from '#services/messages/list-messages.ts';
import type { BrowserSession } from '#testing/browser-session.ts';
import { carriers } from '#testing/carriers.ts';
import { signedIn } from '#testing/console-session.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';

/** What a life message must say is written, seen and corrected in the console. */
let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

let tenantId: number;
let email: string;
let page: BrowserSession;
let token: string;
beforeEach(async () => {
  ({ tenantId, email } = await deps.tenant({ name: 'River Watch', policy: { says: { where: 'River valley' } } }));
  await createRecipient(deps.as(tenantId), { phone: '+12125550101' });
  page = await signedIn(deps, email);
  token = await page.token();
});

const form = (change: Record<string, string> = {}) => ({
  _csrf: token,
  do: 'save',
  class: 'life',
  drill: 'no',
  title: '',
  'locale-0': 'en',
  'text-0': 'The dam breaks.',
  who: 'all',
  'channel-0': 'sms',
  'channel-1': '',
  'channel-2': '',
  startOffset: '0',
  expires: '4',
  ...change,
});
const errorAt = (html: string, id: string): boolean => new RegExp(`id="${id}"[^>]*aria-invalid="true"`).test(html);

test('the composer names what is missing at its fields, shows what is added, and keeps what was typed', async () => {
  expect(await page.text('/messages/new')).toContain('Empty: River valley');
  const refused = await page.post('/messages/new', form({ 'says-where-0': 'Low Road' }));
  expect(refused.status).toBe(422);
  const html = await refused.text();
  expect(['who', 'instruction', 'where', 'issuer'].map((part) => errorAt(html, `says-${part}-0`))).toEqual([true, true, false, false]);
  expect(html).toContain('value="Low Road"');
  const full = form({ 'says-who-0': 'All residents', 'says-instruction-0': 'Go uphill' });
  const preview = await (await page.post('/messages/preview', full)).text();
  for (const line of ['The dam breaks.\nGo uphill\nWhere: River valley\nFor: All residents\nFrom: River Watch\nUntil ']) expect(preview).toContain(line);
  await page.post('/messages/new', full, { follow: false });
  const [made] = (await listMessages(deps.as(tenantId), { limit: 1 })).items;
  const says = { who: 'All residents', where: 'River valley', instruction: 'Go uphill', issuer: 'River Watch' };
  expect(made?.says).toEqual({ en: says });
  const edit = await page.text(`/messages/${made?.id}/edit`);
  for (const words of Object.values(says)) expect(edit).toContain(`value="${words}"`);
  await page.post(`/messages/${made?.id}/edit`, { ...full, 'says-where-0': '', 'says-issuer-0': 'Mayor', expires: 'keep' }, { follow: false });
  expect((await getMessage(deps.as(tenantId), made?.id ?? '')).says).toEqual({ en: { ...says, issuer: 'Mayor' } });
});

test('words for all messages are set once', async () => {
  const organisation = { _csrf: token, 'org-name': 'River Watch', 'org-locale': 'en', 'org-country': 'US', 'org-zone': '', 'quiet-from': '', 'quiet-to': '' };
  await page.post('/settings/organisation', { ...organisation, 'says-who': 'All residents', 'says-issuer': 'River Watch, +1 555 0100' });
  expect((await getSettings(deps.as(tenantId))).says).toEqual({ who: 'All residents', issuer: 'River Watch, +1 555 0100' });
  expect(await page.text('/settings')).toContain('value="All residents"');
  const refused = await page.post('/settings/organisation', { ...organisation, 'says-who': 'x'.repeat(161) });
  expect(errorAt(await refused.text(), 'says-who')).toBe(true);
});

test('a correction shows place and people of the first message, to be changed where they were wrong', async () => {
  const bench = new LaneByHand(deps, deps.as(tenantId));
  const says = { who: 'All residents', where: 'Low Road', instruction: 'Go uphill' };
  const input = { class: 'life', text: { en: 'The dam breaks.' }, says, audience: { all: true }, channels: ['sms'], launch: true };
  const expiresAt = new Date(deps.clock.now() + 3_600_000).toISOString();
  const first = await createMessage(bench.ctx, messageInputSchema.parse({ ...input, expiresAt }));
  await bench.work(carriers(), 'life');
  const correcting = await page.text(`/messages/${first.id}/correct?kind=correction`);
  expect(correcting).toContain('value="Low Road"');
  expect(correcting).toMatch(/<summary>The first message<\/summary>.*<div class="bubble" lang="\w+" dir="auto">/s);
  const sent = { _csrf: token, kind: 'correction', sure: 'yes', 'text-0': 'Another dam.', 'says-where-0': 'Mill Street', 'says-who-0': 'All residents' };
  await page.post(`/messages/${first.id}/correct`, sent, { follow: false });
  const [made] = (await listMessages(bench.ctx, { limit: 1 })).items;
  expect(made).toMatchObject({
    kind: 'correction',
    says: { en: { who: 'All residents', where: 'Mill Street', instruction: 'Another dam.', issuer: 'River Watch' } },
  });
});
