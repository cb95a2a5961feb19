import { createECDH, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { errorHandler } from '#http/problem.ts';
import { joinCode } from '#services/spread/join-code.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addMessage, addRecipients, type MessageShape } from '#testing/people.ts';
import { shareRoutes } from './share.ts';

const VAPID = { VAPID_PUBLIC_KEY: 'B'.repeat(87), VAPID_PRIVATE_KEY: 'A'.repeat(43) };

let deps: TestDeps;
let app: ReturnType<typeof shareRoutes>;
let tenantId: number;
/** The clock of the routes under test is so many milliseconds ahead. */
let ahead = 0;
/** They have read the database so many times. */
let readings = 0;
const mails: { to: string; subject: string; text: string }[] = [];
beforeAll(async () => {
  deps = await createTestDeps({ PUBLIC_URL: 'https://muster.test', ...VAPID });
  const { db } = deps;
  const counting: TestDeps['db'] = {
    ...db,
    withTenant: (tenant, work) => {
      readings += 1;
      return db.withTenant(tenant, work);
    },
  };
  const start = deps.clock.now();
  const clock = { now: () => start + ahead };
  app = shareRoutes({ ...deps, db: counting, clock, mailer: async (to, subject, text) => void mails.push({ to, subject, text }) });
  app.onError(errorHandler(deps));
  ({ tenantId } = await deps.tenant({ name: 'Fell Rescue' }));
});
beforeEach(() => void mails.splice(0));
afterAll(() => deps.close());

const within = <T>(work: Parameters<typeof deps.db.withTenant<T>>[1]) => deps.db.withTenant(tenantId, work);
const seal = (messageId: string, recipientId: string) => deps.tokens.seal('share', { a: Number(messageId), b: Number(recipientId), extra: 0 });
const BROWSER = 'Mozilla/5.0 (Linux; Android 15) Chrome/140.0 Mobile';
const from = (ip: string) => ({ incoming: { socket: { remoteAddress: ip }, headers: {} } });
const get = async (path: string, headers: Record<string, string> = {}, ip = '192.0.2.1') =>
  app.request(path, { headers: { 'User-Agent': BROWSER, ...headers } }, from(ip));
const post = async (path: string, body: unknown, headers: Record<string, string> = {}, ip = '192.0.2.1') =>
  app.request(
    path,
    body instanceof URLSearchParams
      ? { method: 'POST', body, headers: { 'User-Agent': BROWSER, ...headers } }
      : { method: 'POST', body: JSON.stringify(body), headers: { 'User-Agent': BROWSER, 'Content-Type': 'application/json', ...headers } },
    from(ip),
  );
const nonceOf = (page: string) => /data-nonce="([^"]+)"/.exec(page)?.[1] ?? /name="nonce" value="([^"]+)"/.exec(page)?.[1] ?? '';
const shared = async (shape: MessageShape = {}) => {
  const message = await addMessage(deps, tenantId, { share: true, ...shape });
  const [sharer = ''] = await addRecipients(deps, tenantId, 1);
  const token = seal(message, sharer);
  return { message, sharer, token, nonce: nonceOf(await (await get(`/s/${token}`)).text()) };
};
const joinByMail = (token: string, nonce: string, email: string, more: Record<string, string> = {}) =>
  post(`/s/${token}/join`, new URLSearchParams({ nonce, channel: 'email', email, ...more }));
const codeIn = (mail: { text: string } | undefined) => /https:\/\/muster\.test(\/s\/confirm\/\w+)/.exec(mail?.text ?? '')?.[1] ?? '';
const confirm = async (path: string) => post(path, new URLSearchParams({ nonce: nonceOf(await (await get(path)).text()) }));
const tally = async (message: string) => {
  const rows = await within((tx) =>
    tx
      .selectFrom('tallies')
      .select(['kind', 'key', sql<number>`sum(n)::int`.as('n')])
      .where('message_id', '=', message)
      .groupBy(['kind', 'key'])
      .execute(),
  );
  return Object.fromEntries(rows.map((row) => [`${row.kind} ${row.key}`, row.n]));
};
const personOf = (email: string) =>
  within((tx) => tx.selectFrom('recipients').selectAll().select(sql<string[]>`consent::text[]`.as('agreed')).where('email', '=', email).executeTakeFirst());
const subscription = () => {
  const key = createECDH('prime256v1');
  return {
    endpoint: `https://fcm.googleapis.com/fcm/send/${randomBytes(8).toString('hex')}`,
    expirationTime: null,
    keys: { p256dh: key.generateKeys().toString('base64url'), auth: randomBytes(16).toString('base64url') },
  };
};

test('the page shows the message and no person, for robots too, and offers three ways to join', async () => {
  const { message, sharer, token } = await shared({ text: { en: 'Hi {{first_name}}, sandbags at the weir until 18:00' } });
  const response = await get(`/s/${token}`, { 'Accept-Language': 'de-AT,de;q=0.9' });
  const page = await response.text();
  expect(page).toContain('<meta property="og:title" content="Fell Rescue">');
  expect(page).toContain('<meta property="og:description" content="Hi, sandbags at the weir until 18:00">');
  expect(page).toContain(`data-join-text="JOIN ${joinCode(deps, message, sharer)}"`);
  expect(page).toMatch(/data-join-number="\+1555000\d+"/);
  expect(page).toMatch(/<svg class="qr"[^>]*viewBox="0 0 \d+ \d+"/);
  expect(page).toContain('Gültig bis');
  expect(page).not.toMatch(/Person \d|@people\.test|\{\{/);
  expect(response.headers.get('content-security-policy')).toMatch(/script-src 'self'; connect-src 'self'/);
  expect(Buffer.byteLength(page)).toBeLessThan(20_000);
});

test('the latest state stands on top; ended, unshared and over', async () => {
  const first = await shared({ text: { en: 'Weir' } });
  await addMessage(deps, tenantId, { kind: 'correction', followsId: first.message, text: { en: 'Bridge, not weir' } });
  ahead += 1_000;
  const page = await (await get(`/s/${first.token}`)).text();
  expect(page).toContain('og:description" content="CORRECTION: Bridge, not weir"');
  expect(page.indexOf('Bridge, not weir</div>')).toBeLessThan(page.indexOf('>Weir</div>'));
  const stopped = await shared({ state: 'stopped' });
  const shown = await (await get(`/s/${stopped.token}`)).text();
  expect(shown).toContain('This message was stopped');
  expect(shown).not.toContain('data-join-text');
  expect((await get(`/s/${(await shared({ share: false })).token}`)).status).toBe(404);
  expect((await get(`/s/${(await shared({ state: 'expired', expiresInHours: -80 })).token}`)).status).toBe(410);
  expect((await get(`/s/${deps.tokens.seal('answer', { a: 1, b: 1, extra: 0 })}`)).status).toBe(404);
});

test('a thousand visits within a second are one reading, a stop shows after it, and times are those of the organisation', async () => {
  const { message, sharer, token } = await shared({ text: { en: 'Weir' } });
  const other = seal(message, (await addRecipients(deps, tenantId, 1))[0] ?? sharer);
  await within((tx) => tx.updateTable('tenants').set({ time_zone: 'Asia/Tokyo' }).where('tenant_id', '=', tenantId).execute());
  ahead += 1_000;
  readings = 0;
  const pages = await Promise.all(Array.from({ length: 1_000 }, async (_, i) => (await get(`/s/${i % 2 ? token : other}`)).text()));
  expect(readings).toBe(1);
  expect(pages.every((page) => page.includes('Weir') && /Valid until: [^<]*GMT\+9/.test(page))).toBe(true);
  await within((tx) => tx.updateTable('messages').set({ state: 'stopped', stopped_at: new Date() }).where('id', '=', message).execute());
  ahead += 999;
  expect(await (await get(`/s/${token}`)).text()).not.toContain('This message was stopped');
  ahead += 1;
  expect(await (await get(`/s/${token}`)).text()).toContain('This message was stopped');
});

test('only people who looked are counted: no fetch, no robot, nobody twice a day, no follower of the hidden link', async () => {
  const { message, token, nonce } = await shared();
  for (const agent of ['Slackbot-LinkExpanding 1.0', 'facebookexternalhit/1.1', 'WhatsApp/2.0', 'Twitterbot/1.0', BROWSER])
    await get(`/s/${token}`, { 'User-Agent': agent });
  const seen = (ip: string, agent = BROWSER, given = nonce) => post(`/s/${token}/seen`, { nonce: given }, { 'User-Agent': agent }, ip);
  await seen('192.0.2.10', 'Googlebot/2.1');
  await seen('192.0.2.10', BROWSER, 'AAAAAAAAAAAAAAAAAAAAAA');
  await get(`/s/${token}/more`, {}, '192.0.2.66');
  await seen('192.0.2.66');
  expect(await tally(message)).toEqual({});
  for (const ip of ['192.0.2.10', '192.0.2.10', '192.0.2.11']) expect((await seen(ip)).status).toBe(204);
  expect(await tally(message)).toEqual({ 'visit 0': 2, 'share 0': 1 });
});

test('double opt-in by e-mail: nobody is added before the button is pressed, and then once', async () => {
  const { message, sharer, token, nonce } = await shared({ class: 'bulk' });
  const asked = await joinByMail(token, nonce, 'New.Person@Example.org', { consent_bulk: 'yes', consent_life: 'yes' });
  expect(await asked.text()).toContain('a mail is on its way');
  expect(mails).toMatchObject([{ to: 'new.person@example.org', subject: 'Confirm that you join Fell Rescue' }]);
  const path = codeIn(mails[0]);
  expect(await (await get(path)).text()).toContain('Do you want messages from Fell Rescue');
  await app.request(path, { method: 'HEAD' });
  expect(await personOf('new.person@example.org')).toBeUndefined();
  const given = nonceOf(await (await get(path)).text());
  const pressed = await Promise.all([1, 2, 3].map(() => post(path, new URLSearchParams({ nonce: given }))));
  expect(pressed.map((r) => r.status)).toEqual([200, 200, 200]);
  const person = await personOf('new.person@example.org');
  expect(person).toMatchObject({ origin: 'share', parent_id: sharer, generation: 1, agreed: ['life', 'bulk'], locale: 'en' });
  expect(await tally(message)).toEqual({ 'join 1': 1, 'share 0': 1 });
  const waves = await within((tx) => tx.selectFrom('waves').select(['id', 'recipient_ids', 'selects']).where('message_id', '=', message).execute());
  expect(waves).toEqual([{ id: expect.any(String) as string, recipient_ids: [person?.id], selects: 'ids' }]);
  expect(deps.nudges).toContainEqual({ name: 'plan', data: { tenantId, waveId: waves[0]?.id } });
});

test('a known, a suppressed and a just asked address get the same page and no mail', async () => {
  const { token, nonce, sharer } = await shared();
  const known = await within((tx) => tx.selectFrom('recipients').select('email').where('id', '=', sharer).executeTakeFirstOrThrow());
  const page = async (email: string) => (await (await joinByMail(token, nonce, email)).text()).replace(/nonce="[^"]*"/g, '');
  const fresh = await page('fresh@example.org');
  expect(mails).toHaveLength(1);
  await within(async (tx) => {
    const sender = await tx.selectFrom('senders').select('id').where('channel', '=', 'email').executeTakeFirstOrThrow();
    await tx
      .insertInto('suppressions')
      .values({ tenant_id: tenantId, sender_id: sender.id, address: 'never@example.org', reason: 'opted_out', source: 'test' })
      .execute();
  });
  for (const email of [known.email ?? '', 'never@example.org', 'fresh@example.org', 'FRESH@example.org']) expect(await page(email)).toBe(fresh);
  expect(mails).toHaveLength(1);
});

test('bad addresses, header injection and foreign nonces are refused', async () => {
  const { token, nonce } = await shared();
  for (const email of ['', 'nobody', 'a@b\r\nBcc: x@example.org', 'a@example.org, b@example.org'])
    expect((await joinByMail(token, nonce, email)).status).toBe(422);
  expect((await joinByMail(token, (await shared()).nonce, 'a@example.org')).status).toBe(403);
  expect(mails).toEqual([]);
});

test('one sharer causes at most 20 mails an hour, also at once', async () => {
  const { token, nonce } = await shared();
  await Promise.all(
    Array.from({ length: 30 }, (_, i) => post(`/s/${token}/join`, new URLSearchParams({ nonce, email: `cap${i}@example.org` }), {}, '127.0.0.1')),
  );
  expect(mails).toHaveLength(20);
});

test('one address asks 60 times an hour, then 429', async () => {
  const { token } = await shared();
  const statuses = [];
  for (let i = 0; i < 62; i++) statuses.push((await post(`/s/${token}/join`, new URLSearchParams({ nonce: 'x', email: 'x' }), {}, '198.51.100.77')).status);
  expect(statuses).toEqual([...Array(60).fill(403), 429, 429]);
  const form = new URLSearchParams({ nonce: 'x', email: 'x' });
  const page = await post(`/s/${token}/join`, form, { accept: 'text/html', 'accept-language': 'de' }, '198.51.100.77');
  const seconds = Number(page.headers.get('retry-after'));
  expect(seconds).toBeGreaterThan(3_500);
  expect(await page.text()).toContain('Bitte in 60 Minuten noch einmal');
});

test('a refused form says why beside the field and keeps what was typed', async () => {
  const { token, nonce } = await shared();
  const bad = await joinByMail(token, nonce, 'ann@<b');
  expect(bad.status).toBe(422);
  expect(await bad.text()).toMatch(
    /role="alert" id="refused">That is not an e-mail address.*value="ann@&lt;b" aria-describedby="refused" autofocus aria-invalid="true"/s,
  );
  const old = await joinByMail(token, 'x', 'ann@example.org');
  expect(old.status).toBe(403);
  expect(await old.text()).toMatch(/role="alert" id="refused">This page had grown too old.*value="ann@example\.org"/s);
  expect(mails).toEqual([]);
  await joinByMail(token, nonce, 'slow@example.org');
  const code = codeIn(mails[0]);
  const late = await post(code, new URLSearchParams({ nonce: 'x' }));
  expect([late.status, await late.text()]).toEqual([403, expect.stringMatching(/role="alert">This page had grown too old.*Yes, I join/s)]);
  expect(await (await confirm(code)).text()).toContain('You have joined Fell Rescue');
});

test('the visitor’s own browser joins by push, once; a foreign endpoint is refused', async () => {
  const { message, sharer, token, nonce } = await shared();
  const mine = subscription();
  const waves = () => within((tx) => tx.selectFrom('waves').select('recipient_ids').where('message_id', '=', message).execute());
  for (let i = 0; i < 2; i++) expect(await (await post(`/s/${token}/join`, { nonce, subscription: mine, locale: 'de' })).json()).toEqual({ joined: true });
  const [kept] = await within((tx) => tx.selectFrom('push_subscriptions').selectAll().where('endpoint', '=', mine.endpoint).execute());
  const person = await within((tx) =>
    tx
      .selectFrom('recipients')
      .selectAll()
      .where('id', '=', kept?.recipient_id ?? '0')
      .executeTakeFirst(),
  );
  expect(person).toMatchObject({ parent_id: sharer, generation: 1, origin: 'share', push_count: 1, locale: 'de' });
  expect(await waves()).toEqual([{ recipient_ids: [person?.id] }]);
  expect((await post(`/s/${token}/join`, { nonce, subscription: { ...subscription(), endpoint: 'https://169.254.169.254/x' } })).status).toBe(422);
  expect((await post(`/s/${token}/join`, { nonce: 'x', subscription: subscription() })).status).toBe(403);
  expect((await post(`/s/${token}/join`, { nonce, subscription: subscription(), phone: '+447700900000' })).status).toBe(422);
});

test('a chain of joins keeps parent and generation, a rush of joins shares waves, and the sums agree', async () => {
  const { message, sharer, token, nonce } = await shared();
  const join = async (link: string, email: string) => {
    const page = await (await get(`/s/${link}`)).text();
    await joinByMail(link, nonceOf(page), email);
    await confirm(codeIn(mails.findLast((mail) => mail.to === email)));
    return (await personOf(email))?.id ?? '';
  };
  expect(nonce).not.toBe('');
  const child = await join(token, 'child@example.org');
  const grandchild = await join(seal(message, child), 'grandchild@example.org');
  await join(seal(message, grandchild), 'great@example.org');
  await Promise.all(['x1@example.org', 'x2@example.org', 'x3@example.org'].map((email) => join(token, email)));
  const joins = await within((tx) =>
    tx.selectFrom('joins').select(['recipient_id', 'parent_id', 'generation']).where('message_id', '=', message).orderBy('joined_at').execute(),
  );
  expect(joins.slice(0, 3).map((j) => [j.parent_id, j.generation])).toEqual([
    [sharer, 1],
    [child, 2],
    [grandchild, 3],
  ]);
  expect(await tally(message)).toEqual({ 'join 1': 4, 'join 2': 1, 'join 3': 1, 'share 0': 1, 'share 1': 1, 'share 2': 1 });
  const waves = await within((tx) => tx.selectFrom('waves').select('recipient_ids').where('message_id', '=', message).execute());
  expect(waves.flatMap((w) => w.recipient_ids ?? []).sort()).toEqual(joins.map((j) => j.recipient_id).sort());
  expect(waves.length).toBe(1);
});
