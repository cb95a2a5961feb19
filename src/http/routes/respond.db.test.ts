import { afterAll, beforeAll, expect, test } from 'vitest';
import { packRef } from '#domain/delivery/refs.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { errorHandler } from '#http/problem.ts';
import { addDelivery, addMessage, addRecipients, type MessageShape } from '#testing/people.ts';
import { respondRoutes } from './respond.ts';

let deps: TestDeps;
let app: ReturnType<typeof respondRoutes>;
let tenantId: number;
beforeAll(async () => {
  deps = await createTestDeps();
  app = respondRoutes(deps);
  app.onError(errorHandler(deps));
  ({ tenantId } = await deps.tenant({ name: 'Fell Rescue' }));
});
afterAll(() => deps.close());

const within = <T>(work: Parameters<typeof deps.db.withTenant<T>>[1]) => deps.db.withTenant(tenantId, work);
const seal = (messageId: string, recipientId: string) => deps.tokens.seal('answer', { a: Number(messageId), b: Number(recipientId), extra: 0 });
const from = (ip: string) => ({ incoming: { socket: { remoteAddress: ip }, headers: {} } });
const get = async (token: string, headers: Record<string, string> = {}, method = 'GET', ip = '192.0.2.1') =>
  app.request(`/r/${token}`, { method, headers }, from(ip));
const nonceOf = (page: string) => /name="nonce" value="([^"]+)"/.exec(page)?.[1] ?? '';
const post = async (token: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
  app.request(`/r/${token}`, { method: 'POST', body: new URLSearchParams(fields), headers }, from('192.0.2.1'));
const press = async (token: string, fields: Record<string, string>) => post(token, { nonce: nonceOf(await (await get(token)).text()), ...fields });
const answersOf = (messageId: string) => within((tx) => tx.selectFrom('answers').selectAll().where('message_id', '=', messageId).execute());
const eventsOf = (messageId: string) => within((tx) => tx.selectFrom('answer_events').selectAll().where('message_id', '=', messageId).orderBy('id').execute());
const invite = async (shape: MessageShape = {}) => {
  const message = await addMessage(deps, tenantId, shape);
  const [person = ''] = await addRecipients(deps, tenantId, 1);
  return { message, person, token: seal(message, person) };
};

test('GET, HEAD, OPTIONS and prefetch of 500 links answer nothing; one POST answers once', async () => {
  const message = await addMessage(deps, tenantId);
  const people = await addRecipients(deps, tenantId, 500);
  const tokens = people.map((person) => seal(message, person));
  for (let i = 0; i < tokens.length; i += 50)
    await Promise.all(
      tokens
        .slice(i, i + 50)
        .flatMap((token) => [
          get(token).then((r) => expect(r.status).toBe(200)),
          get(token, {}, 'HEAD').then((r) => expect(r.status).toBe(200)),
          get(token, { 'Sec-Purpose': 'prefetch;prerender' }),
          get(token, { Purpose: 'prefetch', 'User-Agent': 'facebookexternalhit/1.1' }),
          get(token, {}, 'OPTIONS'),
          Promise.resolve(app.request(`/r/${token}/more`, {}, from(`198.51.100.${i % 250}`))),
        ]),
    );
  expect(await answersOf(message)).toEqual([]);
  const done = await press(tokens[0] ?? '', { answer: 'yes' });
  expect(done.status).toBe(200);
  expect(await done.text()).toMatch(/Your answer: <strong dir="auto">Yes, I come/);
  expect(await answersOf(message)).toMatchObject([{ recipient_id: people[0], key: 'yes', way: 'page' }]);
});

test('the page is under 10 KB, has no script and no cookie, and carries the headers of an answer link', async () => {
  const { token } = await invite({
    text: { en: `Hi {{first_name}}, ${'洪水 & высокая вода '.repeat(70)}`.slice(0, 1600) },
    answers: Array.from({ length: 9 }, (_, i) => ({ key: `key${i}`, label: `${i} ${'wörter '.repeat(8)}` })),
  });
  const response = await get(token);
  const text = await response.text();
  expect(Buffer.byteLength(text)).toBeLessThan(10_000);
  expect(text).not.toMatch(/<script|Person|\{\{|src=|@import|url\(/i);
  expect(text).toContain('Hi, 洪水 &amp; высокая');
  expect(response.headers.get('set-cookie')).toBeNull();
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    'x-robots-tag': 'noindex,nofollow,noarchive',
    'x-content-type-options': 'nosniff',
  });
  expect(response.headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
  );
});

test('1,000 made-up tokens are the same 404; one address gets 30 a minute, and a real link still opens there', async () => {
  const { token } = await invite();
  const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const random = () => token[0] + Array.from({ length: 22 }, () => letters[Math.floor(Math.random() * 62)]).join('');
  const bodies = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    const response = await get(i % 10 === 0 ? seal('999999', '1') : random(), {}, 'GET', `10.0.${i >> 8}.${i & 255}`);
    expect(response.status).toBe(404);
    bodies.add(await response.text());
  }
  expect(bodies.size).toBe(1);
  const statuses = [];
  for (let i = 0; i < 40; i++) statuses.push((await get(random(), {}, 'GET', '203.0.113.9')).status);
  expect(statuses).toEqual([...Array(30).fill(404), ...Array(10).fill(429)]);
  expect((await get(token, {}, 'GET', '203.0.113.9')).status).toBe(200);
});

test('a nonce of another link, an old one and none at all are refused, with a page that can be used', async () => {
  const a = await invite();
  const b = await invite();
  const other = nonceOf(await (await get(b.token)).text());
  for (const nonce of [other, '', 'x', other.slice(1)]) {
    const refused = await post(a.token, { nonce, answer: 'yes' });
    expect(refused.status).toBe(403);
    expect(nonceOf(await refused.text())).not.toBe('');
  }
  const hours = (n: number) => respondRoutes({ ...deps, clock: { now: () => deps.clock.now() + n * 3_600_000 } });
  const made = nonceOf(await (await get(a.token)).text());
  const late = await hours(2).request(`/r/${a.token}`, { method: 'POST', body: new URLSearchParams({ nonce: made, answer: 'yes' }) });
  expect(late.status).toBe(403);
  expect(await answersOf(a.message)).toEqual([]);
  const inTime = await hours(1).request(`/r/${a.token}`, { method: 'POST', body: new URLSearchParams({ nonce: made, answer: 'yes' }) });
  expect(inTime.status).toBe(200);
});

test('50 presses of one person at once keep one first time and every change', async () => {
  const { message, token } = await invite();
  const nonce = nonceOf(await (await get(token)).text());
  const pressed = await Promise.all(Array.from({ length: 50 }, (_, i) => post(token, { nonce, answer: i % 2 ? 'no' : 'yes' })));
  expect(pressed.every((r) => r.status === 200)).toBe(true);
  const [first] = await answersOf(message);
  await press(token, { answer: 'later' });
  const [last] = await answersOf(message);
  expect(last?.first_at).toEqual(first?.first_at);
  expect(last?.first_key).toBe(first?.first_key);
  expect(last?.key).toBe('later');
  expect((await eventsOf(message)).length).toBe((last?.changes ?? 0) + 1);
});

test('a time and a note: minutes, a clock in the reader’s zone, and words that are no time', async () => {
  const { message, person, token } = await invite();
  await within((tx) => tx.updateTable('recipients').set({ time_zone: 'Asia/Tokyo' }).where('id', '=', person).execute());
  await press(token, { answer: 'yes', eta: '30', note: 'bring rope' });
  const [minutes] = await answersOf(message);
  expect(Math.round(((minutes?.eta_at?.getTime() ?? 0) - deps.clock.now()) / 60_000)).toBe(30);
  expect(minutes?.note).toBe('bring rope');
  expect(await (await press(token, { answer: 'yes', eta: '13:45' })).text()).toContain('<strong>13:45</strong>');
  await press(token, { answer: 'yes', eta: 'after lunch', note: 'x' });
  expect((await answersOf(message))[0]).toMatchObject({ eta_at: null, note: 'after lunch; x' });
});

test('a campaign says how to get no more of them; nothing else does', async () => {
  const said = async (shape: MessageShape) => (await (await get((await invite(shape)).token)).text()).includes('Reply STOP to the text message');
  expect([await said({ class: 'bulk' }), await said({ class: 'ops' }), await said({ class: 'life' })]).toEqual([true, false, false]);
});

test('an unknown answer is 422 and writes nothing; a large body is refused', async () => {
  const { message, token } = await invite();
  const unknown = await press(token, { answer: 'perhaps' });
  expect([unknown.status, await unknown.text()]).toEqual([422, expect.stringMatching(/role="alert">That is none of the answers.*Yes, I come/s)]);
  expect(await answersOf(message)).toEqual([]);
  const large = await app.request(`/r/${token}`, {
    method: 'POST',
    body: `answer=yes&note=${'x'.repeat(20_000)}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  expect(large.status).toBe(413);
  expect(await answersOf(message)).toEqual([]);
});

test('each state says what is true: drill, stopped, ended, over, corrected, erased, draft', async () => {
  const text = async (shape: MessageShape) => {
    const made = await invite(shape);
    const response = await get(made.token);
    return { ...made, status: response.status, body: await response.text() };
  };
  expect((await text({ drill: true })).body).toMatch(/<p class="banner drill">EXERCISE/);
  expect((await text({ state: 'stopped' })).body).toContain('This message was stopped');
  expect((await text({ state: 'expired', expiresInHours: -1 })).body).toContain('This has ended');
  expect((await text({ state: 'draft' })).status).toBe(404);
  const over = await text({ state: 'expired', expiresInHours: -73, text: { en: 'secret place' } });
  expect(over).toMatchObject({ status: 410, body: expect.not.stringContaining('secret place') as string });
  const first = await invite({ text: { en: 'Meet at Low Road' } });
  const second = await addMessage(deps, tenantId, { kind: 'correction', followsId: first.message, text: { en: 'Meet at High Road' } });
  await addMessage(deps, tenantId, { kind: 'all_clear', followsId: second, state: 'draft', text: { en: 'not yet said' } });
  const corrected = await (await get(first.token)).text();
  expect(corrected.indexOf('Meet at High Road')).toBeLessThan(corrected.indexOf('Meet at Low Road'));
  expect(corrected).toContain('CORRECTION');
  expect(corrected).not.toContain('not yet said');
  const erased = await invite({ text: { en: 'secret place' } });
  await within((tx) =>
    tx.updateTable('recipients').set({ erased_at: new Date(), phone: null, email: null, name: null }).where('id', '=', erased.person).execute(),
  );
  const gone = await get(erased.token);
  expect(gone.status).toBe(410);
  expect(await gone.text()).not.toContain('secret place');
  expect((await post(erased.token, { answer: 'yes', nonce: 'x' })).status).toBe(410);
});

test('speaks the reader’s language, and writes Arabic from right to left', async () => {
  const { person, token } = await invite({ text: { de: 'Treffen um 14 Uhr', ar: 'اللقاء الساعة الثانية' } });
  await within((tx) => tx.updateTable('recipients').set({ locale: 'de-AT' }).where('id', '=', person).execute());
  const german = await (await get(token)).text();
  expect(german).toContain('<html lang="de" dir="ltr">');
  expect(german).toContain('Gültig bis');
  await within((tx) => tx.updateTable('recipients').set({ locale: 'ar' }).where('id', '=', person).execute());
  expect(await (await get(token)).text()).toContain('<div class="text" lang="ar" dir="rtl">اللقاء');
});

test('a tapped notification: JSON gives a nonce, the answer is marked as push, and the beacon marks it delivered', async () => {
  const { message, person, token } = await invite();
  await addDelivery(deps, tenantId, { messageId: message, recipientId: person, channel: 'push' });
  const beacon = deps.tokens.seal('beacon', packRef({ messageId: message, recipientId: person, channel: 'push', wave: 0 }));
  for (let i = 0; i < 2; i++) expect((await app.request(`/r/beacon/${beacon}`, { method: 'POST' })).status).toBe(204);
  expect((await app.request(`/r/beacon/${token}`, { method: 'POST' })).status).toBe(404);
  const [delivery] = await within((tx) => tx.selectFrom('deliveries').select('state').where('message_id', '=', message).execute());
  expect(delivery?.state).toBe('delivered');
  const { nonce, answers } = (await (await get(token, { Accept: 'application/json' })).json()) as { nonce: string; answers: { key: string }[] };
  expect(answers.map((a) => a.key)).toEqual(['yes', 'no', 'later']);
  const sent = await post(token, { nonce, answer: 'no', way: 'push' }, { Accept: 'application/json' });
  expect(await sent.json()).toMatchObject({ answer: { key: 'no' } });
  expect(await answersOf(message)).toMatchObject([{ key: 'no', way: 'push' }]);
});

test('a message without answers asks only that it was read; one that may be shared links to the share page', async () => {
  const { token } = await invite({ answers: [], share: true });
  const page = await (await get(token)).text();
  expect(page).toMatch(/<button name="answer" value="seen">/);
  expect(page).toMatch(/href="\/s\/[0-9A-Za-z]{23}#mine"/);
  expect((await press(token, { answer: 'seen' })).status).toBe(200);
});

test('worker, script, manifest and icon are served and revalidated', async () => {
  for (const [path, type] of [
    ['/sw.js', 'text/javascript'],
    ['/s.js', 'text/javascript'],
    ['/icon.svg', 'image/svg+xml'],
    ['/manifest.webmanifest', 'application/manifest+json'],
  ] as const) {
    const response = await app.request(path);
    expect(response.headers.get('content-type')).toContain(type);
    const etag = response.headers.get('etag') ?? '';
    expect((await app.request(path, { headers: { 'If-None-Match': etag } })).status).toBe(304);
  }
});
