import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { freePort } from '#platform/free-port.ts';
import type { MessageView } from '#schemas/views.ts';
import { overflows, signIn, withBrowser } from './browser.ts';
import { fromApi } from './call-api.ts';
import { callLogOf } from './call-log.ts';
import { type Ready, Up } from './up.ts';

// Takes pictures of every page at the width of a desk and of a phone, from an installation that it starts:
//   npm run pictures -- <folder>

const WIDTHS = { desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } } as const;
const folder = process.argv[2] ?? 'pictures';
mkdirSync(folder, { recursive: true });
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const FLOOD = {
  class: 'life',
  title: 'Flood at Harbour Street',
  text: {
    en: 'Harbour District: the river rises. Leave Harbour Street before 18:00 and go to the school hall. Answer here: {{link}}',
    de: 'Hafenbezirk: Der Fluss steigt. Verlassen Sie die Hafenstraße vor 18 Uhr, kommen Sie in die Schule: {{link}}',
  },
  says: {
    instruction: {
      en: 'Leave Harbour Street before 18:00 and go to the school hall',
      de: 'Verlassen Sie die Hafenstraße vor 18 Uhr, kommen Sie in die Schule',
    },
  },
  audience: { all: true },
  channels: ['push', 'sms', 'email'],
  answers: [
    { key: '1', label: 'I am safe', counts: true },
    { key: '2', label: 'I need help' },
    { key: '3', label: 'I can help', counts: true },
  ],
  share: true,
  expiresAt: new Date(Date.parse('2100-01-01T00:00:00Z')).toISOString(),
};

/** Makes messages in every state that a page can show. Connections that are cut make some deliveries doubtful. */
async function messages({ api, apiKey, simulator }: Ready): Promise<Record<'board' | 'doubt' | 'draft' | 'stopped' | 'drill', string>> {
  const expiresAt = new Date(performance.timeOrigin + performance.now() + 8 * 3_600_000).toISOString();
  const post = (body: object): Promise<MessageView> => fromApi('POST', `${api}/messages`, { ...FLOOD, expiresAt, ...body }, { key: apiKey });
  const board = await post({ launch: true });
  await fromApi('POST', `${simulator}/control`, { email: { cutShare: 0.03 } });
  const doubt = await post({
    class: 'bulk',
    title: 'Street festival on Saturday',
    text: { en: 'Street festival on Saturday from 14:00. Will you come? {{link}}' },
    channels: ['email'],
    launch: true,
  });
  const stopped = await post({ title: 'Road closed', class: 'ops', launch: true });
  await fromApi('POST', `${api}/messages/${stopped.id}/stop`, undefined, { key: apiKey });
  const drill = await post({ title: 'Autumn exercise', drill: true, launch: true });
  const draft = await post({ title: 'Bridge closed at noon', class: 'ops' });
  await delay(75_000);
  return { board: board.id, doubt: doubt.id, draft: draft.id, stopped: stopped.id, drill: drill.id };
}

/** A link for an answer, as the carriers saw it. */
function answerLink(data: string): string {
  const calls = readFileSync(callLogOf(data), 'utf8');
  const found = /https?:\/\/[^"\\\s]+\/r\/\w+/.exec(calls)?.[0];
  if (found === undefined) throw new Error('no carrier saw a link');
  return found;
}

async function take(page: Page, name: string, width: string): Promise<void> {
  await page.screenshot({ path: join(folder, `${name}-${width}.png`), fullPage: true });
  if (await overflows(page)) say(`${name}-${width}: wider than the screen`);
}

async function pictures(browser: Browser, ready: Ready, ids: Awaited<ReturnType<typeof messages>>, data: string): Promise<void> {
  const keys = JSON.parse(readFileSync(join(data, 'keys.json'), 'utf8')) as { consoleEmail: string; consolePassword: string };
  const answer = answerLink(data);
  for (const [width, viewport] of Object.entries(WIDTHS)) {
    const context = await browser.newContext({ viewport, colorScheme: 'light', isMobile: width === 'phone', hasTouch: width === 'phone' });
    const page = await context.newPage();
    await page.goto(`${ready.console}/sign-in`);
    await take(page, 'sign-in', width);
    await signIn(page, ready.console, keys.consoleEmail, keys.consolePassword);
    const paths = {
      overview: '/',
      messages: '/messages',
      people: '/people',
      import: '/people/import',
      'new-person': '/people/new',
      settings: '/settings',
      'stop-all': '/stop',
      compose: `/messages/new?from=${ids.draft}`,
      edit: `/messages/${ids.draft}/edit`,
      draft: `/messages/${ids.draft}`,
      board: `/messages/${ids.board}`,
      doubt: `/messages/${ids.doubt}`,
      'doubt-list': `/messages/${ids.doubt}/deliveries?state=unresolved`,
      stopped: `/messages/${ids.stopped}`,
      drill: `/messages/${ids.drill}`,
      answers: `/messages/${ids.board}/answers`,
      correct: `/messages/${ids.board}/correct?kind=correction`,
      docs: '/docs',
    };
    for (const [name, path] of Object.entries(paths)) {
      await page.goto(ready.console + path);
      await take(page, name, width);
    }
    await page.goto(answer);
    await take(page, 'respond', width);
    await page.getByRole('button').first().click();
    await take(page, 'responded', width);
    const share = await page.getByRole('link', { name: 'Pass it on' }).getAttribute('href');
    if (share !== null) await page.goto(new URL(share, ready.console).href);
    await take(page, 'share', width);
    await context.close();
  }
}

const data = mkdtempSync(join(tmpdir(), 'muster-pictures-'));
const up = new Up(data, await freePort(), await freePort());
try {
  const ready = await up.ready();
  say('started; the messages take a little more than a minute …');
  const ids = await messages(ready);
  await withBrowser((browser) => pictures(browser, ready, ids, data));
} finally {
  await up.end();
  rmSync(data, { recursive: true, force: true });
}
say(`pictures are in ${folder}`);
