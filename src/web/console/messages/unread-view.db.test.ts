import { Hono } from 'hono';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import type { AppEnv } from '#http/env.ts';
import { progressHub } from '#http/progress-hub.ts';
import { consoleRoutes } from '#http/routes/console.ts';
import { receiveBounce } from '#services/receipts/receive-bounce.ts';
import { BrowserSession } from '#testing/browser-session.ts';
import { carriers } from '#testing/carriers.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(async () => {
  await progressHub(deps).close();
  await deps.close();
});

test('replies of mail servers that nobody can read are at the message, in the API and on the board', async () => {
  const admin = { email: 'ana@example.test', name: 'Ana', password: 'correct horse battery staple' };
  const { tenantId, apiKey } = await deps.tenant({ admin });
  const bench = new LaneByHand(deps, deps.as(tenantId));
  await bench.people(2, { email: true });
  const { id } = await bench.launch('ops', { channels: ['email'] });
  const carrier = carriers();
  await bench.work(carrier, 'ops');
  const app = createApp(deps);
  const overApi = async () =>
    ((await (await app.request(`/v1/messages/${id}`, { headers: { authorization: `Bearer ${apiKey}` } })).json()) as { unreadBounces: number }).unreadBounces;
  const page = new BrowserSession(new Hono<AppEnv>().route('/', consoleRoutes(deps)));
  await page.signIn(admin.email, admin.password);
  const board = async () => (await page.get(`/messages/${id}`)).text();
  expect([await overApi(), (await board()).includes('could not be read')]).toEqual([0, false]);
  const unread = { kind: 'unread', mailboxGone: false, code: null } as const;
  await receiveBounce(deps, carrier.calls[0]?.ref ?? '', unread);
  expect([await overApi(), (await board()).includes('1 reply of mail servers could not be read')]).toEqual([1, true]);
  for (const { ref } of carrier.calls) await receiveBounce(deps, ref, unread);
  expect([await overApi(), (await board()).includes('3 replies of mail servers could not be read')]).toEqual([3, true]);
});
