import { createECDH, randomBytes } from 'node:crypto';
import type { BrowserContext, CDPSession, Page, Worker } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MessageView } from '#schemas/views.ts';
import { decryptPush } from '#simulator/push/decrypt.ts';
import { chromiumPath, openPage, PHONE, withBrowser } from '#testing/browser.ts';
import { type Loopback, startHttp } from '#testing/loopback.ts';
import { startSystem, type System } from '#testing/system.ts';

// A headless Chromium has no push service behind it, so the test plays that one part: it gives the page a subscription
// whose keys and endpoint are its own, takes the encrypted message as a push service does, opens it, and hands it to the
// service worker over the DevTools protocol. Everything else is real: page, permission, worker, API, worker process.

interface Pushed {
  readonly headers: Record<string, unknown>;
  readonly json: string;
}

const keys = { ecdh: createECDH('prime256v1'), auth: randomBytes(16) };
keys.ecdh.generateKeys();
const pushed: Pushed[] = [];
let arrived: () => void = () => undefined;
let service: Loopback;
let system: System;
beforeAll(async () => {
  service = await startHttp(({ headers, body }, response) => {
    pushed.push({ headers, json: decryptPush(Buffer.from(body, 'latin1'), keys).toString('utf8') });
    response.writeHead(201, { location: `/sent/${pushed.length}` }).end();
    arrived();
  });
  system = await startSystem({ pushHosts: [`http://127.0.0.1:${service.port}`] });
});
afterAll(async () => {
  await system.close();
  await service.close();
});

async function nextPush(count: number): Promise<Pushed> {
  while (pushed.length < count)
    await new Promise<void>((done) => {
      arrived = done;
    });
  return pushed[count - 1] as Pushed;
}

/** A live message that Ada got by SMS. @returns its id and the address of her share page */
async function shareAddress(): Promise<{ id: string; share: string }> {
  await system.call('POST', '/v1/recipients/import', 'external_id,name,phone\nada,Ada,+12025550123\n', { 'content-type': 'text/csv' });
  const { body } = await system.call<MessageView>('POST', '/v1/messages', {
    class: 'ops',
    title: 'Sandbags – Ufer',
    text: { en: 'Sandbags at gate 3. Can you come?' },
    audience: { all: true },
    channels: ['push', 'sms'],
    answers: [
      { key: 'yes', label: 'I am coming', counts: true },
      { key: 'no', label: 'I cannot' },
    ],
    share: true,
    launch: true,
  });
  await system.message<MessageView>(body.id, (view) => view.deliveries.delivered === 1);
  const text = system.calls().find((call) => call.channel === 'sms')?.body ?? '';
  const answerPage = await (await fetch(/http:\S+\/r\/\w+/.exec(text)?.[0] ?? '')).text();
  const path = /href="(\/s\/\w+)/.exec(answerPage)?.[1];
  if (!path) throw new Error('the answer page has no link to pass on');
  return { id: body.id, share: `${system.api}${path}` };
}

/** What `pushManager.subscribe` would give where a push service exists. */
const subscription = () => ({
  endpoint: `http://127.0.0.1:${service.port}/inbox`,
  keys: { p256dh: keys.ecdh.getPublicKey('base64url'), auth: keys.auth.toString('base64url') },
});

/** Presses the page's own button, the first time without the person's permission. @returns the worker that the page registered */
async function joinByPush(context: BrowserContext, page: Page, share: string): Promise<Worker> {
  await page.addInitScript((given) => {
    PushManager.prototype.subscribe = async () => ({ toJSON: () => given }) as unknown as PushSubscription;
  }, subscription());
  const worker = context.waitForEvent('serviceworker');
  await page.goto(share);
  const join = page.getByRole('button', { name: 'By notification on this device' });
  await join.click();
  await page.getByRole('alert').getByText('That did not work on this device').waitFor();
  await context.grantPermissions(['notifications'], { origin: system.api });
  await join.click();
  await page.getByText('Messages will be shown on this device').waitFor();
  expect(await page.getByRole('alert').isVisible()).toBe(false);
  return worker;
}

async function browserPush(context: BrowserContext, page: Page): Promise<(json: string) => Promise<void>> {
  const devtools: CDPSession = await context.newCDPSession(page);
  const registered = new Promise<string>((done) => {
    devtools.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
      const [one] = registrations;
      if (one) done(one.registrationId);
    });
  });
  await devtools.send('ServiceWorker.enable');
  const registrationId = await registered;
  return (data) => devtools.send('ServiceWorker.deliverPushMessage', { origin: system.api, registrationId, data }).then(() => undefined);
}

interface Shown {
  title: string;
  body: string;
  lang: string;
  tag: string;
  actions: string[];
}

/** The notifications on the screen, once there are some that fit. */
const shown = (worker: Worker, body: string): Promise<Shown[]> =>
  worker.evaluate(async (wanted) => {
    const { registration } = globalThis as unknown as { registration: ServiceWorkerRegistration };
    for (;;) {
      const all = (await registration.getNotifications()) as (Notification & { actions: { action: string; title: string }[] })[];
      if (all.some((one) => one.body.includes(wanted)))
        return all.map(({ title, body, lang, tag, actions }) => ({ title, body, lang, tag, actions: actions.map((one) => `${one.action}: ${one.title}`) }));
      await new Promise((done) => setTimeout(done, 20));
    }
  }, body);

/** Taps an action. A browser without a screen cannot be tapped, so the worker gets the event that a tap would send. */
const tap = (worker: Worker, action: string): Promise<void> =>
  worker.evaluate(async (key) => {
    const scope = globalThis as unknown as EventTarget & { registration: ServiceWorkerRegistration };
    const [notification] = await scope.registration.getNotifications();
    const Click = (globalThis as unknown as Record<string, new (type: string, init: object) => Event>)['NotificationEvent'];
    if (!Click || !notification) throw new Error('nothing to tap on');
    const work: Promise<unknown>[] = [];
    // A scripted event has no waitUntil of the browser's, so the test waits for everything that the handler hands to it.
    const event = Object.assign(new Click('notificationclick', { notification, action: key }), { waitUntil: (one: Promise<unknown>) => void work.push(one) });
    scope.dispatchEvent(event);
    await Promise.all(work);
  }, action);

test.skipIf(chromiumPath === undefined)(
  'a browser joins, shows what is pushed, reports it, and answers once from the notification (skipped where there is no Chromium)',
  async () => {
    const { id, share } = await shareAddress();
    await withBrowser(async (browser) => {
      const { page, context, problems } = await openPage(browser, {
        ...PHONE,
        userAgent: 'Mozilla/5.0 (Linux; Android 15; Mobile) Chrome/140.0 Safari/537.36',
      });
      const worker = await joinByPush(context, page, share);

      // The person who has just joined gets the live message at once, encrypted for this browser alone.
      const first = await nextPush(1);
      expect(first.headers).toMatchObject({ 'content-encoding': 'aes128gcm', authorization: expect.stringMatching(/^vapid t=/) as unknown });
      const sent = JSON.parse(first.json) as { web_push: number; notification: { title: string; tag: string; navigate: string } };
      expect(sent.web_push).toBe(8030);
      await system.message<MessageView>(id, (view) => view.deliveries.accepted === 1 && view.deliveries.delivered === 1);

      const deliver = await browserPush(context, page);
      await deliver(first.json);
      expect(await shown(worker, 'Sandbags at gate 3')).toEqual([
        {
          title: 'Sandbags – Ufer',
          body: expect.stringContaining('Sandbags at gate 3. Can you come?') as unknown,
          lang: 'en',
          tag: sent.notification.tag,
          actions: ['yes: I am coming', 'no: I cannot'],
        },
      ]);
      // The service worker's report makes it delivered, since the push service only ever said accepted.
      await system.message<MessageView>(id, (view) => view.deliveries.delivered === 2 && view.deliveries.accepted === 0);

      // A message that is pushed twice is on the screen once.
      await deliver(first.json);
      expect(await shown(worker, 'Sandbags at gate 3')).toHaveLength(1);

      await tap(worker, 'yes');
      const [done, ...others] = await shown(worker, '✓');
      expect(done).toMatchObject({ title: 'Sandbags – Ufer', body: '✓', tag: sent.notification.tag });
      expect(others).toEqual([]);
      const view = await system.message<MessageView>(id, (one) => one.answers['yes'] === 1);
      expect(view.answers).toMatchObject({ yes: 1, no: 0, none: 1 });
      const { body } = await system.call<{ items: { key: string; way: string; recipientId: string }[] }>('GET', `/v1/messages/${id}/answers`);
      expect(body.items.map(({ key, way }) => [key, way])).toEqual([['yes', 'push']]);

      // The page behind the same link shows the answer that the tap gave.
      await page.goto(sent.notification.navigate);
      expect(await page.getByRole('status').textContent()).toContain('I am coming');
      expect(problems).toEqual([]);
    });
  },
);
