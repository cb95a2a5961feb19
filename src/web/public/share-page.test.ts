import { encode } from 'uqr';
import { expect, test } from 'vitest';
import type { PublicMessage } from '#services/links/public-message.ts';
import { sharePage } from './share-page.ts';

const message: PublicMessage = {
  tenantId: 1,
  messageId: '1',
  tenantName: 'Fell <Rescue>',
  class: 'ops',
  drill: false,
  state: 'live',
  answers: [],
  share: true,
  title: null,
  locale: 'en',
  text: '"><script>alert(1)</script>',
  issuedAt: new Date(0),
  expiresAt: null,
  stoppedAt: null,
  late: false,
  over: false,
  followUp: null,
};
const view = {
  page: { message, timeZone: 'UTC', join: null },
  token: 'abc',
  nonce: 'n',
  locale: 'en',
  publicUrl: 'https://x.example',
  byMail: true,
  vapidPublicKey: '',
};

test('the drawn code has exactly the modules of the address', async () => {
  const page = String(await sharePage(view));
  const drawn = new Set<string>();
  for (const [, x, y, width] of page.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) for (let i = 0; i < Number(width); i++) drawn.add(`${Number(x) + i} ${y}`);
  const wanted = encode('https://x.example/s/abc', { border: 2 }).data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`${x} ${y}`] : [])));
  expect([...drawn].sort()).toEqual(wanted.sort());
});

test.each([
  ['stopped', { state: 'stopped' as const }, 'This message was stopped.', 'Diese Nachricht wurde gestoppt.'],
  ['over', { late: true }, 'This has ended.', 'Dies ist vorbei.'],
])('a shared message that is %s says so, and nothing of answers: the page takes none', async (_case, change, words, german) => {
  const stopped = { ...view, page: { ...view.page, message: { ...message, ...change } } };
  const page = String(await sharePage(stopped));
  expect(page).toContain(`role="status">${words}</p>`);
  expect(page).not.toMatch(/answer/i);
  const other = String(await sharePage({ ...stopped, locale: 'de' }));
  expect(other).toContain(`role="status">${german}</p>`);
  expect(other).not.toMatch(/antwort/i);
});

test('what people wrote stays text', async () => {
  const page = String(await sharePage(view));
  expect(page).not.toContain('<script>alert');
  expect(page).toContain('&quot;&gt;&lt;script&gt;');
  expect(page).toContain('Fell &lt;Rescue&gt;');
});
