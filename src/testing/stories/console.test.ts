import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MessageView } from '#schemas/views.ts';
import { chromiumPath, openPage, overflows, PHONE, seriousFindings, signIn, withBrowser } from '#testing/browser.ts';
import { startSystem, type System } from '#testing/system.ts';

// What a coordinator does at a screen, in a real browser, with the whole system behind it. Each test has people of its
// own, told apart by a tag, so that the tests can run in any order.

const DESKTOP = { viewport: { width: 1280, height: 900 }, colorScheme: 'light' } as const satisfies BrowserContextOptions;
const PHONE_AT_NIGHT = { ...PHONE, colorScheme: 'dark' } as const satisfies BrowserContextOptions;
/** axe takes most of the time, and two browsers' worth of processes share the machine. */
const SLOW_MACHINE_MS = 240_000;
const SMS = '+12025550100';
/** SMS units a second, which is slow enough that a person sees the counts rise and that a stop has something to hold back. */
const PACE = 25;
const REFUSED = '+12023000007';
const DOUBTFUL = '+12023001003';

let system: System;
beforeAll(async () => {
  system = await startSystem({
    behaviour: {
      sms: { receipts: { delaySeconds: 0.3 } },
      crowd: { answerShare: 0.8, delay: { medianSeconds: 0.4, spread: 0.5, maxSeconds: 2 }, bySmsShare: 0.5 },
      addresses: { [REFUSED]: { fate: 'refused', code: 21211 }, [DOUBTFUL]: { fate: 'cut' } },
    },
    tenant: {
      senders: [
        { channel: 'sms', name: 'SMS', address: SMS, unitsPerSecond: PACE },
        { channel: 'email', name: 'Mail', address: 'Muster <muster@example.test>' },
        { channel: 'push', name: 'Push', address: '' },
        { channel: 'sms', name: 'SMS drill', address: '+12025550199', drill: true },
      ],
    },
  });
});
afterAll(() => system.close());

const phone = (n: number): string => `+1202${3_000_000 + n}`;
const rowsOf = (tag: string, first: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${tag}-${i},${tag} ${i},${phone(first + i)},${tag}`);

async function importByApi(tag: string, first: number, count: number): Promise<void> {
  const { body } = await system.call<{ created: number }>(
    'POST',
    '/v1/recipients/import',
    `external_id,name,phone,tags\n${rowsOf(tag, first, count).join('\n')}`,
    {
      'content-type': 'text/csv',
    },
  );
  expect(body.created).toBe(count);
}

const launchByApi = async (tag: string, title: string): Promise<string> => {
  const { status, body } = await system.call<MessageView>('POST', '/v1/messages', {
    class: 'ops',
    title,
    text: { en: 'Can you come to gate 3?' },
    audience: { tags: [tag] },
    channels: ['sms'],
    answers: [
      { key: '1', label: 'I am coming', counts: true },
      { key: '2', label: 'I cannot' },
    ],
    share: true,
    launch: true,
  });
  expect(status).toBe(201);
  return body.id;
};

/** Holds of every page that a person comes to that axe finds nothing serious and that nobody must scroll sideways. */
async function look(page: Page): Promise<void> {
  expect(await seriousFindings(page), page.url()).toEqual([]);
  expect(await overflows(page), `${page.url()} is wider than the screen`).toBe(false);
  const cut = await page.evaluate(() => [...document.querySelectorAll('nav')].some((nav) => nav.scrollWidth > nav.clientWidth));
  expect(cut, `${page.url()} cuts its navigation`).toBe(false);
}
const visit = async (page: Page, path: string): Promise<void> => {
  await page.goto(`${system.api}${path}`);
  await look(page);
};

async function signedIn(browser: Browser, options: BrowserContextOptions): Promise<{ page: Page; problems: readonly string[] }> {
  const { page, problems } = await openPage(browser, options);
  await signIn(page, system.api, system.email, system.password);
  return { page, problems };
}

/** Records what the board's live part says, from inside the page; a reload would lose the record. */
const recordTicks = (page: Page): Promise<void> =>
  page.evaluate(() => {
    const tick = document.getElementById('tick');
    const ticks: { sent: number; answered: number }[] = [];
    const note = (): unknown => ticks.push({ sent: Number(tick?.dataset['sent']), answered: Number(tick?.dataset['answered']) });
    Object.assign(globalThis, { ticks });
    note();
    if (tick) new MutationObserver(note).observe(tick, { attributes: true });
  });
const ticksSeen = (page: Page): Promise<{ sent: number; answered: number }[]> =>
  page.evaluate(() => (globalThis as unknown as { ticks: { sent: number; answered: number }[] }).ticks);

async function signInWronglyFirst(page: Page): Promise<void> {
  await page.goto(`${system.api}/`);
  await page.getByLabel('E-mail address').fill(system.email);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').getByText('There is a problem').waitFor();
  await look(page);
  expect(await page.getByLabel('E-mail address').inputValue()).toBe(system.email);
  await page.getByLabel('Password').fill(system.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await look(page);
}

async function importThroughThePage(page: Page): Promise<void> {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'People' }).click();
  await page.getByRole('link', { name: 'Import a file' }).click();
  await look(page);
  const rows = [...rowsOf('desk', 0, 60), 'bad-1,Nobody,12 34,desk', 'bad-2,Nowhere,,desk,not-a-mailbox'];
  const csv = `\uFEFFexternal_id,name,phone,tags,email\r\n${rows.map((row) => (row.includes('mailbox') ? row : `${row},`)).join('\r\n')}\r\n`;
  await page.getByLabel('CSV file').setInputFiles({ name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
  await page.getByRole('button', { name: 'Import' }).click();
  await page.getByText('2 rows of people.csv were not taken').waitFor();
  await look(page);
  const rejected = page.getByRole('region', { name: 'Rejected rows' }).getByRole('row');
  const cells = await rejected.evaluateAll((all) => all.slice(1).map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent ?? '')));
  expect(cells.map(([line, field]) => [line, field])).toEqual([
    ['62', 'phone'],
    ['63', 'email'],
  ]);
  for (const [, , reason] of cells) expect(reason?.length).toBeGreaterThan(10);
  await page.getByRole('button', { name: 'I have seen these rows' }).click();
  await page.getByText('No message asks about them any more').waitFor();
  await look(page);
}

async function write(page: Page): Promise<void> {
  await visit(page, '/');
  await page.getByRole('link', { name: 'New message' }).click();
  await look(page);
  const preview = page.locator('#preview');
  await page.getByLabel('Some people').check();
  await page.getByLabel('With any of these tags').fill('desk');
  await page.getByLabel('Title').fill('Sandbags at gate 3');
  await page.getByRole('textbox', { name: 'Text' }).fill('The river rises. Don’t wait: sandbags at gate 3 from 02:30. Can you come?');
  await page.getByLabel('Answer 1').fill('I am coming');
  await page.getByLabel('Answer 2').fill('I cannot');
  await preview.getByText('60 people').waitFor();
  await preview.getByText('(U+2019) at position 21').waitFor();
  expect(await preview.getByRole('row', { name: 'SMS' }).textContent()).toMatch(/60.*parts each.*last in \d+ s/);
  await look(page);
  await page.getByRole('textbox', { name: 'Text' }).fill('The river rises. Do not wait: sandbags at gate 3 from 02:30. Can you come?');
  await preview.getByText('U+2019').waitFor({ state: 'detached' });
  expect(await preview.textContent()).toMatch(/The last person in about \d+ s/);
  expect(await preview.textContent()).toContain('Reply 1 I am coming, 2 I cannot');
  await page.getByRole('button', { name: 'Save and review' }).click();
}

async function launch(page: Page): Promise<void> {
  await page.getByText('This is real. 60 people get it.').waitFor();
  await look(page);
  await page.getByRole('button', { name: 'Send to 60 people' }).click();
  // Without the tick nothing is sent; the page says why and takes the person to the field.
  await page.getByRole('alert').getByRole('link', { name: 'Tick that you have read the text' }).click();
  await page.keyboard.press('Space');
  expect(await page.getByRole('checkbox').isChecked()).toBe(true);
  await page.getByRole('button', { name: 'Send to 60 people' }).click();
  await page.getByRole('heading', { name: 'Reach' }).waitFor();
}

/** @returns the message's id */
async function watchTheBoard(page: Page): Promise<string> {
  const id = page.url().split('/').at(-1) ?? '';
  await recordTicks(page);
  await page.waitForFunction(() => Number(document.getElementById('tick')?.dataset['sent']) > 5);
  await look(page);
  // All but the refused delivery are handed over, and the crowd answers, while nobody touches the page.
  await page.waitForFunction(
    () => Number(document.getElementById('tick')?.dataset['sent']) === 59 && Number(document.getElementById('tick')?.dataset['answered']) > 30,
  );
  const ticks = await ticksSeen(page);
  expect(new Set(ticks.map((tick) => tick.sent)).size).toBeGreaterThan(3);
  expect(new Set(ticks.map((tick) => tick.answered)).size).toBeGreaterThan(3);
  expect(ticks.map((tick) => tick.sent)).toEqual(ticks.map((tick) => tick.sent).toSorted((a, b) => a - b));
  await page.locator('#tags').getByText('Sent').waitFor();

  const notReached = page.getByRole('region', { name: 'Not reached: 1' });
  expect(await notReached.textContent()).toMatch(/desk 7.*not a valid number \(21211\)/s);
  const chart = page.getByRole('region', { name: 'Speed' });
  await chart.locator('canvas').waitFor();
  await look(page);
  await page.getByRole('link', { name: 'All answers' }).click();
  await look(page);
  expect(await page.getByRole('listitem').count()).toBeGreaterThan(30);
  await visit(page, `/messages/${id}/deliveries?state=failed`);
  expect(await page.getByRole('rowheader').allTextContents()).toEqual(['desk 7']);
  return id;
}

async function correct(page: Page, id: string): Promise<void> {
  await visit(page, `/messages/${id}`);
  await page.getByRole('link', { name: 'Send a correction' }).click();
  await look(page);
  // The one person whom nothing reached needs no correction.
  await page.getByText('59 people').first().waitFor();
  await page.getByRole('textbox', { name: 'Text' }).fill('It is gate 4, not gate 3.');
  await page.getByRole('checkbox').check();
  await page.getByRole('button', { name: 'Send the correction to 59 people' }).click();
  await page.locator('#tags').getByText('Correction').waitFor();
  const correction = page.url().split('/').at(-1) ?? '';
  await system.message<MessageView>(correction, (view) => view.deliveries.delivered + view.deliveries.accepted === 59);
  const texts = system.calls().filter((call) => call.body?.includes('gate 4'));
  expect(texts).toHaveLength(59);
  for (const text of texts) expect(text.body).toMatch(/^CORRECTION/);
}

async function stopAnother(page: Page): Promise<void> {
  await importByApi('many', 2_000, 300);
  const id = await launchByApi('many', 'A message too many');
  await page.goto(`${system.api}/messages/${id}`);
  await page.getByRole('link', { name: 'Stop this message' }).click();
  await page.getByRole('button', { name: 'Stop now' }).click();
  await page.getByText(/deliveries will not be made/).waitFor();
  await look(page);
  expect(await page.getByRole('link', { name: 'Stop this message' }).count()).toBe(0);
  const view = await system.message<MessageView>(id, (one) => one.deliveries.pending + one.deliveries.attempting === 0);
  expect(view.state).toBe('stopped');
  expect(view.deliveries.cancelled).toBeGreaterThan(20);
  expect(
    view.deliveries.cancelled + system.calls().filter((call) => call.body?.includes('Can you come to gate 3?') && call.to.startsWith('+12023002')).length,
  ).toBe(300);
}

test.skipIf(chromiumPath === undefined)(
  'a coordinator imports, writes, launches, watches, corrects and stops (skipped where there is no Chromium)',
  async () => {
    await withBrowser(async (browser) => {
      const { page, problems } = await openPage(browser, DESKTOP);
      await signInWronglyFirst(page);
      await importThroughThePage(page);
      await write(page);
      await launch(page);
      const id = await watchTheBoard(page);
      await correct(page, id);
      await stopAnother(page);
      // The browser itself notes refused forms (401 for the wrong password, 422 for the missing tick).
      expect(problems.filter((problem) => !/status of (401|422)/.test(problem))).toEqual([]);
    });
  },
  SLOW_MACHINE_MS,
);

test.skipIf(chromiumPath === undefined)(
  'on a phone at night every page fits and can be read, also mid-send and with work to do (skipped where there is no Chromium)',
  async () => {
    await importByApi('night', 1_000, 40);
    await withBrowser(async (browser) => {
      const { page, problems } = await signedIn(browser, PHONE_AT_NIGHT);
      const id = await launchByApi('night', 'Night call');
      await page.goto(`${system.api}/messages/${id}`);
      await page.waitForFunction(() => Number(document.getElementById('tick')?.dataset['sent']) > 2);
      expect(await page.locator('#tags').textContent()).toContain('Live');
      await look(page);

      // One call was cut after the carrier had taken it, and one person writes what no program can read.
      await page.getByRole('heading', { name: /^In doubt: / }).waitFor();
      await system.message<MessageView>(id, (view) => view.deliveries.delivered > 20);
      expect(await system.simulator.text({ from: phone(1_000), to: SMS, body: 'is the <b>bridge</b> open?' })).toBe(200);
      await visit(page, `/messages/${id}`);
      await page.getByRole('heading', { name: '1 reply needs a person' }).waitFor();
      for (const state of ['unknown', 'unresolved', 'delivered']) await visit(page, `/messages/${id}/deliveries?state=${state}`);
      await visit(page, `/messages/${id}/answers`);
      await visit(page, `/messages/${id}/stop`);
      await visit(page, `/messages/${id}/correct?kind=all_clear`);
      for (const path of ['/messages', '/messages/new', `/messages/new?from=${id}`, '/people', '/people/new', '/people/import', '/settings', '/stop'])
        await visit(page, path);

      await page.goto(`${system.api}/people?tag=night`);
      await page.getByRole('link', { name: 'night 0', exact: true }).click();
      await page.getByRole('heading', { name: 'night 0' }).waitFor();
      await look(page);

      await visit(page, '/');
      const text = page.getByRole('listitem').filter({ hasText: 'is the <b>bridge</b> open?' });
      await text.getByRole('button', { name: 'Handled' }).click();
      await text.waitFor({ state: 'detached' });
      await look(page);
      expect(problems).toEqual([]);
    });
  },
  SLOW_MACHINE_MS,
);

test.skipIf(chromiumPath === undefined)('a drill is written and started with the keyboard alone (skipped where there is no Chromium)', async () => {
  await importByApi('keys', 4_000, 3);
  await withBrowser(async (browser) => {
    const { page, problems } = await signedIn(browser, DESKTOP);
    /** Tab until the control with this name has the focus, which must be seen on the screen. */
    const tabTo = async (name: RegExp): Promise<void> => {
      for (let presses = 0; presses < 60; presses++) {
        await page.keyboard.press('Tab');
        const focus = await page.evaluate(() => {
          const element = document.activeElement as HTMLElement | null;
          const label =
            element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement ? [...(element.labels ?? [])].map((one) => one.textContent) : [];
          return { name: [element?.textContent, ...label].join(' ').trim(), outline: element ? getComputedStyle(element).outlineStyle : 'none' };
        });
        if (!name.test(focus.name)) continue;
        expect(focus.outline, focus.name).not.toBe('none');
        return;
      }
      throw new Error(`no control named ${name} is reached with the Tab key on ${page.url()}`);
    };
    await tabTo(/^Skip to the content/);
    await page.keyboard.press('Enter');
    await tabTo(/^New message/);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/messages/new');
    await tabTo(/Operations/);
    await tabTo(/Real/);
    await page.keyboard.press('ArrowRight');
    await tabTo(/^Text/);
    await page.keyboard.type('Monthly test. Answer when you read this.');
    await tabTo(/Everybody/);
    await page.keyboard.press('ArrowDown');
    await tabTo(/With any of these tags/);
    await page.keyboard.type('keys');
    await tabTo(/Answer 1/);
    await page.keyboard.type('Read');
    await tabTo(/Save and review/);
    await page.keyboard.press('Enter');
    await page.getByText('EXERCISE – nothing on this page is real').waitFor();
    await look(page);
    await tabTo(/Start the exercise with 3 people/);
    await page.keyboard.press('Enter');
    // All three people may be called before the page is there, and then nothing is left to stop.
    await page.getByRole('heading', { name: 'Reach' }).waitFor();
    await system.message<MessageView>(page.url().split('/').at(-1) ?? '', (view) => view.deliveries.delivered + view.deliveries.accepted === 3);
    const texts = system.calls().filter((call) => call.body?.includes('Monthly test'));
    expect(texts.map((call) => call.body?.startsWith('EXERCISE'))).toEqual([true, true, true]);
    expect(problems).toEqual([]);
  });
});
