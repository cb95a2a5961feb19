import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addMessage, addRecipients } from '#testing/people.ts';
import { createApp } from '#http/app.ts';
import { serve, type Serving } from '#http/server.ts';

/** Answer pages as they come out of the socket, with everything before and after their route. */
let deps: TestDeps;
let server: Serving;
let tenantId: number;
beforeAll(async () => {
  deps = await createTestDeps({ PUBLIC_URL: 'https://muster.example' });
  ({ tenantId } = await deps.tenant());
  server = await serve(createApp(deps), { port: 0, host: '127.0.0.1' });
});
afterAll(async () => {
  await server.close();
  await deps.close();
});

const nonceOf = (page: string) => /name="nonce" value="([^"]+)"/.exec(page)?.[1] ?? '';
const HEADERS = {
  'content-type': 'text/html; charset=UTF-8',
  'cache-control': 'no-store',
  'content-security-policy': expect.stringMatching(
    /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
  ),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'x-robots-tag': 'noindex,nofollow,noarchive',
};

test('every public page carries every header once, and the id that its request came with', async () => {
  const message = await addMessage(deps, tenantId);
  const [person = ''] = await addRecipients(deps, tenantId, 1);
  const url = `${server.url}/r/${deps.tokens.seal('answer', { a: Number(message), b: Number(person), extra: 0 })}`;
  const headers = { 'x-request-id': 'mine-1' };
  const page = await fetch(url, { headers });
  const nonce = nonceOf(await page.text());
  const body = () => new URLSearchParams({ answer: 'yes', nonce });
  const all = [
    page,
    await fetch(url, { headers, method: 'HEAD' }),
    await fetch(url, { headers, method: 'POST', body: body() }),
    await fetch(url, { headers, method: 'POST', body: new URLSearchParams({ answer: 'yes', nonce: 'old' }) }),
    await fetch(`${server.url}/r/nobody`, { headers }),
  ];
  expect(all.map((one) => one.status)).toEqual([200, 200, 200, 403, 404]);
  for (const one of all) expect(Object.fromEntries(one.headers)).toMatchObject({ ...HEADERS, 'x-request-id': 'mine-1' });
  const unnamed = (await fetch(url)).headers.get('x-request-id');
  expect(unnamed).toMatch(/^[0-9a-f-]{36}$/);
});

test('readers of one message in one language are each given their own answer, link and nonce', async () => {
  const message = await addMessage(deps, tenantId, { share: true });
  const people = await addRecipients(deps, tenantId, 6);
  const tokens = people.map((person) => deps.tokens.seal('answer', { a: Number(message), b: Number(person), extra: 0 }));
  const read = async (token: string) => (await fetch(`${server.url}/r/${token}`)).text();
  const before = await Promise.all(tokens.map(read));
  const given = ['yes', 'no', 'yes', 'no', 'yes', 'yes'];
  const after = await Promise.all(
    tokens.map(async (token, i) => {
      const body = new URLSearchParams({ answer: given[i] ?? '', nonce: nonceOf(before[i] ?? ''), note: `note <${i}>` });
      return (await fetch(`${server.url}/r/${token}`, { method: 'POST', body })).text();
    }),
  );
  for (const pages of [before, after, await Promise.all(tokens.map(read))])
    for (const [i, page] of pages.entries()) {
      expect([...page.matchAll(/\/r\/(\w+)/g)].map((found) => found[1])).toEqual([tokens[i], tokens[i]]);
      expect(deps.tokens.open('share', /\/s\/(\w+)#mine/.exec(page)?.[1] ?? '')).toMatchObject({ b: Number(people[i]) });
      expect([...page.matchAll(/note &lt;(\d)&gt;/g)].map((found) => found[1])).toEqual(pages === before ? [] : [String(i)]);
      expect([...page.matchAll(/value="(\w+)" aria-pressed/g)].map((found) => found[1])).toEqual(pages === before ? [] : [given[i]]);
      expect(page).not.toContain('\0');
    }
  expect(new Set(after.map(nonceOf)).size).toBe(6);
});
