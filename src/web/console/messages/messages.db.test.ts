import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { addSuppression } from '#services/recipients/add-suppression.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { listMessages } from '#services/messages/list-messages.ts';
import type { BrowserSession } from '#testing/browser-session.ts';
import { signedIn } from '#testing/console-session.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { addUser } from '#testing/people-who-act.ts';

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
  for (const n of [1, 2, 3]) await createRecipient(deps.as(tenantId), { name: `Person ${n}`, phone: `+1212555010${n}`, tags: n === 1 ? ['harbour'] : [] });
  page = await signedIn(deps, await addUser(deps, tenantId, 'coordinator'));
  token = await page.token();
});

const fields = (change: Record<string, string> = {}): Record<string, string> => ({
  _csrf: token,
  do: 'save',
  class: 'ops',
  drill: 'no',
  title: 'Flood',
  'locale-0': 'en',
  'text-0': 'The river rises. Leave Harbour Street before 04:00.',
  who: 'all',
  'channel-0': 'sms',
  'channel-1': '',
  'channel-2': '',
  'key-0': '1',
  'label-0': 'I am safe',
  expires: '12',
  ...change,
});

const messages = async () => (await listMessages(deps.as(tenantId))).items;
const draft = async (change: Record<string, string> = {}): Promise<{ path: string; html: string }> => {
  const response = await page.post('/messages/new', fields(change), { follow: false });
  expect(response.status).toBe(303);
  const path = response.headers.get('location') ?? '';
  return { path, html: await page.text(path) };
};
const hidden = (html: string, name: string): string => new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? '';

test('a message is written, shown once more, and sent to the number that the button names', async () => {
  const { path, html } = await draft();
  expect(html).toContain('Send to 3 people');
  expect(html).toContain('This is <b>real</b>');
  expect((await messages())[0]?.state).toBe('draft');
  const board = await page.post(`${path}/launch`, { _csrf: token, audienceHash: hidden(html, 'audienceHash'), count: '3', sure: 'yes' });
  expect(board.status).toBe(200);
  expect(await board.text()).toContain('Stop this message');
  expect((await messages())[0]).toMatchObject({ state: 'live', audience: { count: 3 } });
  expect(deps.nudges.map((nudge) => nudge.name)).toContain('deliver-ops');
});

test('nothing is sent without the hash that was shown, or without the tick', async () => {
  const { path, html } = await draft();
  const blind = await page.post(`${path}/launch`, { _csrf: token, sure: 'yes' });
  expect(blind.status).toBe(422);
  const unsure = await page.post(`${path}/launch`, { _csrf: token, audienceHash: hidden(html, 'audienceHash') });
  expect(unsure.status).toBe(422);
  expect(await unsure.text()).toContain('href="#sure"');
  // The refusal stands at the address of the form, which a person may open again.
  expect(await page.text(`${path}/launch`)).toContain('id="launch-title"');
  expect((await messages())[0]?.state).toBe('draft');
});

test('a change of the audience while one reads stops the launch and says from what to what', async () => {
  const { path, html } = await draft();
  await createRecipient(deps.as(tenantId), { name: 'Late', phone: '+12125550199' });
  const response = await page.post(`${path}/launch`, { _csrf: token, audienceHash: hidden(html, 'audienceHash'), count: '3', sure: 'yes' });
  const text = await response.text();
  expect(response.status).toBe(422);
  expect(text).toContain('it was 3 people, now it is 4 people');
  expect(text).toContain('Send to 4 people');
  expect((await messages())[0]?.state).toBe('draft');
});

test('an exercise has other words, another colour and no button for real', async () => {
  const { html } = await draft({ drill: 'yes' });
  expect(html).toContain('Start the exercise with 3 people');
  expect(html).toContain('btn big wide drill');
  expect(html).toContain('EXERCISE – nothing on this page is real');
  expect(html).not.toContain('Send to 3 people');
});

test('a refused form keeps every value and links each fault to its field', async () => {
  const response = await page.post(
    '/messages/new',
    fields({ 'text-0': '', class: 'life', expires: '', title: 'Keep <me>', who: 'some', tags: '', lat: 'north', 'key-0': 'NO WAY' }),
  );
  expect(response.status).toBe(422);
  const html = await response.text();
  for (const id of ['text-0', 'expires', 'lat', 'lon', 'km', 'key-0']) expect(html).toContain(`href="#${id}"`);
  expect(html).toContain('value="Keep &lt;me&gt;"');
  expect(html).toContain('value="north"');
  expect(html).toContain('<title>Error: New message');
  expect(await messages()).toEqual([]);
});

test("the verb's own refusals land at their fields too", async () => {
  const slot = await page.post('/messages/new', fields({ 'text-0': 'Hi {{nick}}' }));
  expect(await slot.text()).toContain('href="#text-0"');
  const denied = await page.post('/messages/new', fields({ drill: 'yes', 'text-0': 'This is not a drill' }));
  expect(await denied.text()).toMatch(/href="#text-0">[^<]*must not say/);
  expect(await messages()).toEqual([]);
});

test('rows are added and taken away without a script', async () => {
  const more = await (await page.post('/messages/new', fields({ do: 'add-locale' }))).text();
  expect(more).toContain('id="text-1"');
  const answers = await (await page.post('/messages/new', fields({ do: 'add-answer' }))).text();
  expect(answers).toContain('id="label-1"');
  const fewer = await (await page.post('/messages/new', fields({ do: 'remove-answer-0' }))).text();
  expect(fewer).not.toContain('id="label-0"');
  expect(await messages()).toEqual([]);
});

test('a start on the own clock and a second call become a plan that is scheduled, not sent', async () => {
  const second = { start: '2099-01-02T07:30', startOffset: '-60', 'then-channel': 'email', 'then-to': 'not_reached', 'then-after': '15' };
  const { path, html } = await draft(second);
  expect(html).toContain('Schedule for 3 people');
  expect(html).toContain('After 15 min: E-mail, to who was not reached');
  const board = await (await page.post(`${path}/launch`, { _csrf: token, audienceHash: hidden(html, 'audienceHash'), sure: 'yes' })).text();
  expect(board).toContain('Nothing has left yet.');
  expect((await messages())[0]).toMatchObject({
    state: 'scheduled',
    plan: [
      { channels: ['sms'], mode: 'first', afterSeconds: 0, to: 'all' },
      { channels: ['email'], afterSeconds: 900, to: 'not_reached' },
    ],
    times: { startAt: '2099-01-02T06:30:00.000Z', expiresAt: '2099-01-02T18:30:00.000Z', launchedAt: null },
  });
  expect(await page.text(`/messages/new?from=${path.split('/').at(-1)}`)).toContain('<option value="email" selected>');
  const refused = await (await page.post('/messages/new', fields({ start: '2020-01-01T10:00', 'then-channel': 'push', 'then-after': 'soon' }))).text();
  for (const id of ['start', 'then-after']) expect(refused).toContain(`href="#${id}"`);
});

test('a page that is read again after the stop stops nothing again', async () => {
  const { path, html } = await draft();
  await page.post(`${path}/launch`, { _csrf: token, audienceHash: hidden(html, 'audienceHash'), sure: 'yes' });
  const answer = await page.post(`${path}/stop`, { _csrf: token }, { follow: false });
  expect(answer.status).toBe(303);
  expect(await page.text(answer.headers.get('location') ?? '')).toContain('<b>Stopped.</b>');
  expect(await page.text(`${path}/stop`)).not.toContain('Stop this message?');
});

test('the language that everybody else reads stays first, also in a copy', async () => {
  const { path, html } = await draft({ 'locale-1': 'de', 'text-1': 'Der Fluss steigt.' });
  expect(html.indexOf('The river rises')).toBeLessThan(html.indexOf('Der Fluss steigt'));
  expect(await page.text(`/messages/new?from=${path.split('/').at(-1)}`)).toMatch(/id="locale-0"[^>]* value="en"/);
});

test('the preview says how many, how, and which characters make it dear', async () => {
  const html = await (await page.post('/messages/preview', fields({ 'text-0': 'Don’t cross', who: 'some', tags: 'harbour' }))).text();
  expect(html).toContain('1 person');
  expect(html).toContain('U+2019');
  expect(html).toContain('Don’t cross');
  expect(html).not.toContain('<html');
  const empty = await (await page.post('/messages/preview', fields({ who: 'json', json: '{oops' }))).text();
  expect(empty).toContain('not JSON');
});

test('stopping tells what was held back; a correction waits until somebody had it', async () => {
  const { path, html } = await draft();
  await page.post(`${path}/launch`, { _csrf: token, audienceHash: hidden(html, 'audienceHash'), count: '3', sure: 'yes' });
  const stopped = await (await page.post(`${path}/stop`, { _csrf: token })).text();
  expect(stopped).toContain('<b>Stopped.</b>');
  expect((await messages())[0]?.state).toBe('stopped');
  const correct = await (await page.post(`${path}/correct`, { _csrf: token, kind: 'correction', 'text-0': 'Wrong street.', sure: 'yes' })).text();
  expect(correct).toContain('nobody needs to be told');
  expect(correct).toContain('Wrong street.');
});

test('a message that does not move says for whom it waits', async () => {
  const { path, html } = await draft();
  await page.post(`${path}/launch`, { _csrf: token, audienceHash: hidden(html, 'audienceHash'), count: '3', sure: 'yes' });
  await new LaneByHand(deps, deps.as(tenantId)).plan();
  expect(await page.text(path)).not.toContain('Waits for');
  const set = (values: Record<string, unknown>) =>
    deps.db.withTenant(tenantId, (tx) => tx.updateTable('senders').set(values).where('channel', '=', 'sms').where('drill', '=', false).execute());
  await set({ breaker_opened_at: new Date(), breaker_code: 'ECONNREFUSED' });
  expect(await page.text(path)).toMatch(/Waits for SMS \(SMS\):<\/b> its provider fails \(ECONNREFUSED\)/);
  await set({ stopped_at: new Date(), stopped_reason: '20003: wrong token' });
  expect(await page.text(path)).toContain('it stopped: 20003: wrong token. A person must release it.');
});

test('the board counts who said yes, and its list tells of whom said stop', async () => {
  await addSuppression(deps.as(tenantId), { address: '+12125550101' });
  const { path, html } = await draft({ 'key-0': '1', 'label-0': 'I am coming', 'counts-0': 'on' });
  await page.post(`${path}/launch`, { _csrf: token, audienceHash: hidden(html, 'audienceHash'), count: '3', sure: 'yes' });
  await new LaneByHand(deps, deps.as(tenantId)).plan();
  expect(await page.text(path)).toContain('<dt>Said yes</dt><dd class="yes">0</dd>');
  expect(await page.text(`${path}/deliveries`)).toContain('<td data-label="Reason">Said stop, or the address is dead</td>');
});

test('the whole installation is not for a coordinator', async () => {
  expect(await page.text('/stop?scope=installation')).toContain('Not allowed');
  expect((await page.post('/stop', { _csrf: token, scope: 'installation' })).status).toBe(403);
});

test('one control stops everything and releases it again', async () => {
  const state = () => deps.db.withTenant(tenantId, (tx) => tx.selectFrom('tenants').select('stopped_at').executeTakeFirstOrThrow());
  expect(await page.text('/stop')).toContain('Stop all sending now');
  expect((await state()).stopped_at).toBeNull();
  await page.post('/stop', { _csrf: token });
  expect((await state()).stopped_at).not.toBeNull();
  expect(await page.text('/')).toContain('All sending is stopped');
  await page.post('/stop', { _csrf: token, release: 'yes' });
  expect((await state()).stopped_at).toBeNull();
});

test('a text that nobody could read waits on the overview until it is handled', async () => {
  await deps.db.withTenant(tenantId, (tx) =>
    sql`INSERT INTO inbound_texts (tenant_id, provider_id, sender_id, from_address, body, reply, outcome, needs_human)
      SELECT ${tenantId}, 'SM1', id, '+12125550101', 'on <b>roof</b>', 'A person will', 'unclear', true FROM senders WHERE channel = 'sms' AND NOT drill`.execute(
      tx,
    ),
  );
  const html = await page.text('/');
  expect(html).toContain('on &lt;b&gt;roof&lt;/b&gt;');
  expect(html).toContain('<a href="tel:+12125550101">call +12125550101</a>');
  expect(html).toContain('<summary>Answered by itself</summary><q>A person will</q>');
  const action = /action="(\/texts\/inb_\w+\/handled)"/.exec(html)?.[1] ?? '';
  const after = await (await page.post(action, { _csrf: token, back: '/' })).text();
  expect(after).toContain('Nothing waits for you.');
});

test('a viewer sees the numbers and can change nothing', async () => {
  const { path, html } = await draft();
  const viewer = await signedIn(deps, await addUser(deps, tenantId, 'viewer'));
  expect(await viewer.text(path)).toContain('can look at this message but not send it');
  const csrf = await viewer.token().catch(() => /name="_csrf" value="([^"]+)"/.exec(html)?.[1] ?? '');
  const tries: [string, Record<string, string>][] = [
    [`${path}/launch`, { audienceHash: hidden(html, 'audienceHash'), sure: 'yes' }],
    ['/messages/new', fields()],
    ['/people/new', { name: 'X', phone: '+12125550177' }],
    ['/stop', {}],
    ['/settings/keys', { name: 'mine', scope: 'read' }],
  ];
  for (const [where, body] of tries) expect((await viewer.post(where, { ...body, _csrf: csrf })).status, where).toBeGreaterThanOrEqual(403);
  expect(await messages()).toHaveLength(1);
  expect((await messages())[0]?.state).toBe('draft');
});

test('what belongs to another tenant is not there', async () => {
  const { path } = await draft();
  const stranger = await signedIn(deps, (await deps.tenant()).email);
  for (const sub of ['', '/stop', '/deliveries', '/answers', '/stream', '/deliveries.csv']) expect((await stranger.get(`${path}${sub}`)).status, sub).toBe(404);
});

test('the board moves: the stream sends the page part at once and after each change', async () => {
  const { path, html } = await draft();
  await page.post(`${path}/launch`, { _csrf: token, audienceHash: hidden(html, 'audienceHash'), count: '3', sure: 'yes' });
  const response = await page.get(`${path}/stream`, { accept: 'text/event-stream' });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let seen = '';
  const until = async (text: string): Promise<void> => {
    while (!seen.includes(text)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`the stream ended before "${text}"`);
      seen += decoder.decode(value);
    }
  };
  await until('data-answered="0"');
  await until('<hx-partial hx-target="#actions"');
  seen = '';
  await page.post(`${path}/stop`, { _csrf: token });
  await until('■</span>Stopped');
  await reader.cancel();
});
