import { spawn } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as read } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MessageView, PreviewView } from '#schemas/views.ts';
import { BrowserSession } from '#testing/browser-session.ts';
import { type PagerService, startPagerService } from '#testing/fourth-channel/pager-service.ts';
import { type Tree, treeWithFourthChannel } from '#testing/fourth-channel/tree.ts';
import { startSystem, type System } from '#testing/system.ts';

// What a fourth channel costs: its folder and one entry among the facts. Nothing else of the tree is touched, and real
// processes of that tree send, receive, answer, bounce and stop by it.

const OURS = '+12025550140';

let tree: Tree;
let carrier: PagerService;
let system: System;
let browser: BrowserSession;
/** Begun at once, beside the rest: they take as long as the processes need to start. */
let types: Promise<Ran>;
let contract: Promise<Ran>;

interface Ran {
  code: number | null;
  out: string;
  err: string;
}

async function run(command: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const child = spawn(command, argv, { cwd: tree.path, env: { PATH: process.env['PATH'] ?? '', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  const [code, out, err] = await Promise.all([ended, read(child.stdout), read(child.stderr)]);
  return { code, out, err };
}

const node = (script: string, argv: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  run(process.execPath, [join(tree.path, script), ...argv], env);
const tsc = (...argv: string[]): Promise<Ran> => run(process.execPath, ['node_modules/typescript/bin/tsc', '--noEmit', ...argv]);
const muster = (...argv: string[]): Promise<Ran> => node('src/cli/main.ts', [...argv, '--api', system.api, '--key', system.apiKey]);
const organisations = (...argv: string[]): Promise<Ran> => node('src/organisations-main.ts', argv, { DATABASE_URL: system.databaseUrl });

beforeAll(async () => {
  tree = treeWithFourthChannel();
  types = tsc();
  contract = run(process.execPath, [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--config',
    '.config/vitest.config.ts',
    '--project',
    'loopback',
    'src/channels/pager',
  ]);
  carrier = await startPagerService();
  const account = { channel: 'pager', provider: 'beeper', url: carrier.url, key: carrier.key };
  system = await startSystem({ tree: tree.path, env: { MUSTER_ACCOUNTS: JSON.stringify([account]) } });
  expect(await organisations('sender', '--organisation', 'Test District', '--channel', 'pager', '--name', 'Beepers', '--address', OURS)).toMatchObject({
    code: 0,
  });
  const request = (url: string, init?: RequestInit) => fetch(url.replace('http://127.0.0.1:8080', system.api), { ...init, redirect: 'manual' });
  browser = new BrowserSession({ request } as ConstructorParameters<typeof BrowserSession>[0]);
});
afterAll(async () => {
  await system.close();
  await carrier.close();
  tree.remove();
});

/** Adds people with pagers, whom this tag names. @returns their numbers */
async function people(tag: string, count: number): Promise<string[]> {
  const phones = Array.from({ length: count }, () => `+1202555${2_000 + phoneCount++}`);
  for (const phone of phones) expect((await system.call('POST', '/v1/recipients', { phone, tags: [tag] })).status).toBe(201);
  return phones;
}
let phoneCount = 0;

const send = async (text: string, tag: string, extra: Record<string, unknown> = {}): Promise<string> => {
  const { status, body } = await system.call<MessageView>('POST', '/v1/messages', {
    ...{ class: 'ops', text: { en: text }, audience: { tags: [tag] }, channels: ['pager'], launch: true, ...extra },
  });
  expect(status, JSON.stringify(body)).toBe(201);
  return body.id;
};
const pagesOf = (text: string) => carrier.pages.filter((page) => page.text.includes(text));
const toOf = (text: string): string[] =>
  pagesOf(text)
    .map((page) => page.to)
    .toSorted();
const suppressed = async (): Promise<string[]> =>
  (await system.call<{ items: { address: string }[] }>('GET', '/v1/suppressions')).body.items.map((item) => item.address);

test('it is shown by its name before anything is sent: in the API, at the command line and in the console', async () => {
  await people('shown', 3);
  const { body: preview } = await system.call<PreviewView>('POST', '/v1/audiences/preview', {
    ...{ audience: { tags: ['shown'] }, channels: ['pager', 'sms'], text: { en: 'Come' } },
  });
  expect(preview.channels).toEqual({ push: 0, sms: 0, email: 0, pager: 3 });
  // A page is billed as one, however long its text is.
  expect(preview.forecast.perChannel.find((row) => String(row.channel) === 'pager')).toMatchObject({ people: 3, units: 3, unitsPerCall: 1 });
  expect((await muster('preview', '--to', 'tag:shown', '--channels', 'pager', '--text', 'Come')).out).toMatch(/^ {2}pager {2}3$/m);
  expect((await organisations('senders', '--organisation', 'Test District')).out).toMatch(/pager +account 1 .*Beepers {2}\+12025550140/);
  expect((await organisations('--help')).out).toContain('--channel push|sms|email|pager');
  await browser.signIn(system.email, system.password);
  expect(await browser.text('/messages/new')).toContain('<option value="pager">Pager</option>');
  const fragment = await browser.post('/messages/preview', {
    ...{ _csrf: await browser.token(), class: 'ops', drill: 'no', 'locale-0': 'en', 'text-0': 'Come', who: 'some', tags: 'shown', 'channel-0': 'pager' },
  });
  const shown = await fragment.text();
  expect(shown).toMatch(/<th scope="row" class="whole">Pager<\/th><td class="num">3<\/td>/);
  expect(shown).toMatch(/Pager<\/span>\s*<div class="bubble">Come/);
});

test('it sends, hears what became of each page, and takes answers by text and by link; a pager that was given back is left out from then on', async () => {
  const [ann = '', ben = '', cat = ''] = await people('harbour', 3);
  carrier.closed.add(cat);
  const answers = [
    { key: 'yes', label: 'I come', counts: true },
    { key: 'no', label: 'Not today' },
  ];
  const id = await send('Sandbags at the harbour', 'harbour', { answers });
  const view = await system.message<MessageView>(id, ({ deliveries }) => deliveries.delivered + deliveries.failed === 3);
  expect(view.deliveries).toMatchObject({ delivered: 2, failed: 1 });
  expect(view.waves).toMatchObject([{ channel: 'pager', planned: 3, delivered: 2, failed: 1 }]);
  expect(toOf('Sandbags')).toEqual([ann, ben, cat]);
  expect(pagesOf('Sandbags').every(({ from, text }) => from === OURS && text.includes('Reply 1 I come, 2 Not today'))).toBe(true);
  expect(await suppressed()).toContain(cat);

  const listed: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor && `&cursor=${encodeURIComponent(cursor)}`;
    const { body } = await system.call<{ items: { channel: string }[]; next: string | null }>('GET', `/v1/messages/${id}/deliveries?limit=1${query}`);
    listed.push(...body.items.map(({ channel }) => channel));
    cursor = body.next;
  }
  expect(listed).toEqual(['pager', 'pager', 'pager']);

  const page = pagesOf('Sandbags').find(({ to }) => to === ben);
  const news = { id: page?.id ?? '', state: 'lost' };
  expect((await carrier.call(page?.callback ?? '', news, 'a key that nobody knows of us')).status).toBe(403);
  // A receipt of another channel's delivery is none of theirs, although they signed it.
  expect((await carrier.call(`${system.api}/hooks/pager/receipts/a2Yum7uvlXFpgLiJhb7Yu45`, news)).status).toBe(404);

  expect(await carrier.type(system.api, { id: 't1', from: ann, to: OURS, text: '1 in 20 min' })).toBe('Noted: yes, in 20 min.');
  const link = /https?:\S+\/r\/\w+/.exec(page?.text ?? '')?.[0] ?? '';
  const { nonce } = (await (await fetch(link, { headers: { accept: 'application/json' } })).json()) as { nonce: string };
  expect((await fetch(link, { method: 'POST', body: new URLSearchParams({ nonce, answer: 'no' }) })).status).toBe(200);
  const given = await system.call<{ items: { key: string; way: string }[] }>('GET', `/v1/messages/${id}/answers`);
  expect(given.body.items.map(({ key, way }) => `${key} by ${way}`).toSorted()).toEqual(['no by page', 'yes by pager']);
  await browser.signIn(system.email, system.password);
  const board = await browser.text(`/messages/${id}`);
  expect(board).toContain('by pager, ');
  expect(board).toMatch(/<th scope="row">Pager</);

  const again = await send('The tide is in', 'harbour');
  await system.message<MessageView>(again, ({ deliveries }) => deliveries.delivered === 2);
  expect(toOf('tide')).toEqual([ann, ben]);
});

test('who writes STOP on a pager gets no page any more, and START undoes it', async () => {
  const [ann = '', ben = ''] = await people('stop', 2);
  await carrier.type(system.api, { id: 't2', from: ben, to: OURS, text: 'stop' });
  expect(await suppressed()).toContain(ben);
  const id = await send('Only for those who want it', 'stop');
  await system.message<MessageView>(id, ({ state }) => state === 'completed');
  expect(toOf('Only for')).toEqual([ann]);
  await carrier.type(system.api, { id: 't3', from: ben, to: OURS, text: 'start' });
  expect(await suppressed()).not.toContain(ben);
});

test('a stop of the channel holds it, and it alone', async () => {
  const [ann = ''] = await people('held', 1);
  expect((await system.call('POST', '/v1/stop', { scope: 'channel', channel: 'pager' })).status).toBe(200);
  await browser.signIn(system.email, system.password);
  expect(await browser.text('/settings')).toMatch(/<b>Pager<\/b>[\s\S]{0,200}stopped/i);
  const [held, sms] = [await send('Held back', 'held'), await send('By text', 'held', { channels: ['sms'] })];
  await system.message<MessageView>(sms, ({ state }) => state === 'completed');
  expect((await system.message<MessageView>(held, () => true)).deliveries.pending).toBe(1);
  expect(pagesOf('Held back')).toEqual([]);
  expect((await system.call('POST', '/v1/stop', { scope: 'channel', channel: 'pager', release: true })).status).toBe(200);
  await system.message<MessageView>(held, ({ state }) => state === 'completed');
  expect(toOf('Held back')).toEqual([ann]);
});

test('no log line holds its key, a number or a text', async () => {
  await people('log', 1);
  await system.message<MessageView>(await send('Not for the log', 'log'), ({ deliveries }) => deliveries.delivered === 1);
  const logs = system.logs();
  expect(logs).toContain('worker started');
  expect(logs).not.toContain(carrier.key);
  expect(logs).not.toMatch(/\+1202555|Not for the log/);
});

test('the tree compiles as it is; a fact that is missing, or does not fit the others, is a type error', async () => {
  expect(await types).toEqual({ code: 0, out: '', err: '' });
  writeFileSync(join(tree.path, 'facts.json'), JSON.stringify({ extends: './tsconfig.json', include: ['schemas/channel-facts.ts'] }));
  for (const [from, to, fault] of [
    ["    names: { title: 'Pager', inText: 'pager' },\n", '', /'names' is missing/],
    [
      "    renders: 'short_text',\n    evidence: 'receipt',\n    unit: 'call',",
      "    renders: 'mail',\n    evidence: 'receipt',\n    unit: 'segment',",
      /segment/,
    ],
    ['    number: 3,', '    number: 16,', /16/],
  ] as const) {
    const undo = tree.edit('schemas/channel-facts.ts', from, to);
    const { code, out } = await tsc('--project', 'facts.json');
    undo();
    expect(code).not.toBe(0);
    expect(out).toMatch(fault);
  }
});

test('its adapter keeps the contract of all adapters, which its folder names', async () => {
  const { code, out } = await contract;
  expect(out).toMatch(/Tests .*17 passed/);
  expect(code).toBe(0);
});

test('a wrong setting, a number that is taken and a folder that is not there are told before anything begins', async () => {
  const env = { DATABASE_URL: system.databaseUrl, SECRET_KEYS: `a:${'A'.repeat(43)}=` };
  const wrong = { channel: 'pager', provider: 'beeper', url: 'ftp://pager.example', key: carrier.key };
  const refused = await node('src/main.ts', [], { ...env, MUSTER_ACCOUNTS: JSON.stringify([wrong]) });
  expect(refused).toEqual({ code: 78, out: '', err: 'api: MUSTER_ACCOUNTS: [0].url: must be a URL starting with http:// or https://\n' });

  const folder = join(tree.path, 'src/channels/pager');
  renameSync(folder, `${folder}-away`);
  const without = await node('workers/main.ts', [], env);
  renameSync(`${folder}-away`, folder);
  expect(without.code).toBe(1);
  expect(without.err).toContain('src/channels/pager/channel.ts cannot be loaded, although schemas/channel-facts.ts has the channel pager');

  const undo = tree.edit('schemas/channel-facts.ts', '    number: 3,', '    number: 1,');
  const double = await node('workers/main.ts', [], env);
  undo();
  expect(double.err).toContain('sms and pager both have the number 1');
});
