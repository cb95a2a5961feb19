import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chromiumPath, openPage, overflows, PHONE, seriousFindings, withBrowser } from '#testing/browser.ts';

// The browser tests of the console and the public pages rely on what these helpers notice, so the helpers are tested with faults.

const BAD = `<!doctype html><html><head><title>x</title><script>undefinedFunction()</script></head>
<body><img src="/missing.png"><form><input type="text"></form><div style="width:900px">wide</div></body></html>`;
const GOOD = `<!doctype html><html lang="en"><head><title>A page</title><meta name="viewport" content="width=device-width"></head>
<body><main><h1>A page</h1><label>Name <input type="text"></label></main></body></html>`;

const server = createServer((request, response) => {
  const body = request.url === '/bad' || request.url === '/csp' ? BAD : request.url === '/good' ? GOOD : undefined;
  if (request.url === '/csp') response.setHeader('content-security-policy', `default-src 'none'`);
  response.writeHead(body === undefined ? 500 : 200, { 'content-type': 'text/html' });
  response.end(body);
});
let origin = '';
beforeAll(async () => {
  await new Promise<void>((done) => {
    server.listen(0, '127.0.0.1', done);
  });
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

test.skipIf(chromiumPath === undefined)('a page with faults is found out (skipped where there is no Chromium)', async () => {
  await withBrowser(async (browser) => {
    const { page, problems } = await openPage(browser, PHONE);
    await page.goto(`${origin}/bad`);
    expect(problems).toContainEqual(expect.stringMatching(/^uncaught: .*undefinedFunction/));
    expect(problems).toContainEqual(expect.stringMatching(/^500: .*missing\.png/));
    const findings = (await seriousFindings(page)).join('\n');
    expect(findings).toMatch(/image-alt/);
    expect(findings).toMatch(/label/);
    expect(findings).toMatch(/html-has-lang/);
    expect(await overflows(page)).toBe(true);

    const refused = await openPage(browser);
    await refused.page.goto(`${origin}/csp`);
    expect(refused.problems).toContainEqual(expect.stringMatching(/Content Security Policy/));
  });
});

test.skipIf(chromiumPath === undefined)('a page without faults is left in peace (skipped where there is no Chromium)', async () => {
  await withBrowser(async (browser) => {
    const { page, problems } = await openPage(browser, PHONE);
    await page.goto(`${origin}/good`);
    expect(await seriousFindings(page)).toEqual([]);
    expect(await overflows(page)).toBe(false);
    // The browser asks for an icon by itself; this server has none.
    expect(problems.filter((problem) => !problem.includes('favicon') && !problem.includes('500 (Internal Server Error)'))).toEqual([]);
  });
});
