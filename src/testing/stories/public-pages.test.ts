import { serve } from '@hono/node-server';
import { sql } from 'kysely';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { respondRoutes } from '#http/routes/respond.ts';
import { shareRoutes } from '#http/routes/share.ts';
import { joinThroughShare } from '#services/spread/join.ts';
import { planWave } from '#services/planning/plan-wave.ts';
import { chromiumPath, openPage, overflows, PHONE, seriousFindings, withBrowser } from '#testing/browser.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addMessage, addRecipients } from '#testing/people.ts';

let deps: TestDeps;
let tenantId: number;
let server: ReturnType<typeof serve>;
let origin: string;
const mails: string[] = [];
beforeAll(async () => {
  deps = await createTestDeps({ VAPID_PUBLIC_KEY: 'B'.repeat(87), VAPID_PRIVATE_KEY: 'A'.repeat(43) });
  ({ tenantId } = await deps.tenant({ name: 'Fell Rescue' }));
  const app = respondRoutes(deps);
  app.route('/', shareRoutes({ ...deps, mailer: async (_to, _subject, text) => void mails.push(text) }));
  server = await new Promise((done) => {
    const started = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => done(started));
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  await deps.close();
});

const within = <T>(work: Parameters<typeof deps.db.withTenant<T>>[1]) => deps.db.withTenant(tenantId, work);
const shared = async (drill: boolean) => {
  const message = await addMessage(deps, tenantId, { share: true, drill });
  const [person = ''] = await addRecipients(deps, tenantId, 1);
  const link = (purpose: 'answer' | 'share') => deps.tokens.seal(purpose, { a: Number(message), b: Number(person), extra: 0 });
  return { message, person, link };
};

test.skipIf(chromiumPath === undefined)('a phone answers, changes its mind, passes it on and a friend joins (skipped where there is no Chromium)', async () => {
  const { message, link } = await shared(true);
  await withBrowser(async (browser) => {
    // The headless browser calls itself so, and robots are not counted as people.
    const { page, problems } = await openPage(browser, { ...PHONE, userAgent: 'Mozilla/5.0 (Linux; Android 15; Mobile) Chrome/140.0 Safari/537.36' });
    await page.goto(`${origin}/r/${link('answer')}`);
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole('button', { name: 'Yes, I come' }).click();
    expect(await page.getByRole('status').textContent()).toContain('Yes, I come');
    await page.getByText('Add a time or a note').click();
    await page.getByLabel('A few words').fill('with rope');
    await page.getByRole('button', { name: 'Later' }).click();
    expect(await page.getByRole('status').textContent()).toMatch(/Later.*with rope/s);
    // Enter in a field must not press the first answer: the tallies at the end would tell.
    await page.getByText('Add a time or a note').click();
    await page.getByLabel('When can you be there?').fill('30');
    await page.keyboard.press('Enter');
    expect(await page.getByLabel('When can you be there?').inputValue()).toBe('30');
    expect(await seriousFindings(page)).toEqual([]);
    expect(await overflows(page)).toBe(false);

    await page.getByRole('link', { name: 'Pass it on' }).click();
    await page.getByRole('button', { name: 'Share' }).waitFor();
    const seen = page.waitForResponse((response) => response.url().endsWith('/seen'));
    // A friend opens the link without the mark of the sharer's own look.
    await page.goto('about:blank');
    await page.goto(`${origin}/s/${link('share')}`);
    expect((await seen).status()).toBe(204);
    await page.getByText('Or let somebody scan this').click();
    expect(await page.getByRole('img', { name: 'QR' }).isVisible()).toBe(true);
    expect(await page.getByRole('button', { name: 'By notification on this device' }).isVisible()).toBe(true);
    expect(await seriousFindings(page)).toEqual([]);
    expect(await overflows(page)).toBe(false);
    expect(await page.evaluate(async () => (await navigator.serviceWorker.register('/sw.js')).scope)).toBe(`${origin}/`);
    await page.getByLabel('Your own e-mail address').fill('friend@example');
    await page.getByRole('button', { name: 'Send me a confirmation' }).click();
    await page.getByRole('alert').getByText('That is not an e-mail address').waitFor();
    expect(await page.evaluate(() => (document.activeElement as HTMLInputElement | null)?.value), 'the cursor stands where to mend it').toBe('friend@example');
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByLabel('Your own e-mail address').fill('friend@example.org');
    await page.getByRole('button', { name: 'Send me a confirmation' }).click();
    await page.getByText('a mail is on its way').waitFor();
    const path = /\/s\/confirm\/\w+/.exec(mails[0] ?? '')?.[0] ?? '';
    await page.goto(`${origin}${path}`);
    await page.getByRole('button', { name: 'Yes, I join' }).click();
    await page.getByText('You have joined Fell Rescue').waitFor();
    // The refused address, which the browser reports by itself.
    expect(problems).toEqual([expect.stringContaining('the server responded with a status of 422')]);
  });
  const tallies = await within((tx) =>
    tx
      .selectFrom('tallies')
      .select(['kind', 'key', sql<number>`sum(n)::int`.as('n')])
      .where('message_id', '=', message)
      .groupBy(['kind', 'key'])
      .execute(),
  );
  expect(Object.fromEntries(tallies.map((t) => [`${t.kind} ${t.key}`, t.n]))).toEqual({
    'answer yes': 0,
    'answer later': 1,
    'visit 0': 1,
    'share 0': 1,
    'join 1': 1,
  });
});

test('the planner gives a person who joined one batch of his own, on the channel he joined by', async () => {
  const { message, person } = await shared(false);
  const joined = await within((tx) =>
    joinThroughShare(tx, deps, tenantId, {
      messageId: message,
      parentId: person,
      by: { channel: 'email', address: 'late@example.org' },
      consent: ['ops'],
      locale: null,
    }),
  );
  await planWave(deps, tenantId, joined.waveId ?? '');
  const { rows } = await within((tx) => sql<{ ids: string[]; channel: string }>`SELECT ids, channel FROM batches WHERE message_id = ${message}`.execute(tx));
  expect(rows).toEqual([{ ids: [joined.recipientId], channel: 'email' }]);
});
