import { afterAll, beforeAll, expect, test } from 'vitest';
import { messageInputSchema } from '#schemas/message.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { getMessage } from '#services/messages/get-message.ts';
import type { BrowserSession } from '#testing/browser-session.ts';
import { carriers } from '#testing/carriers.ts';
import { signedIn } from '#testing/console-session.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { addUser } from '#testing/people-who-act.ts';

// These tests are about whom a message is for that is written from an earlier one.

let deps: TestDeps;
let bench: LaneByHand;
let page: BrowserSession;
beforeAll(async () => {
  deps = await createTestDeps();
  bench = await LaneByHand.open(deps);
  page = await signedIn(deps, await addUser(deps, bench.ctx.tenantId, 'coordinator'));
});
afterAll(() => deps.close());

const draftFor = (audience: unknown) =>
  createMessage(bench.ctx, messageInputSchema.parse({ class: 'ops', text: { en: 'Come to the hall' }, audience, channels: ['sms'] }));
const value = (html: string, name: string): string => new RegExp(`name="${name}"[^>]* value="([^"]*)"`).exec(html)?.[1] ?? '';
const chosen = (html: string): string => /name="who" value="(\w+)" checked/.exec(html)?.[1] ?? '';
const json = (html: string): unknown =>
  JSON.parse((/<textarea id="json"[^>]*>([^<]*)<\/textarea>/.exec(html)?.[1] ?? '').replaceAll('&quot;', '"') || 'null') as unknown;

test.each([
  [{ all: true }, 'all', {}],
  [{ tags: ['harbour', 'north side'] }, 'some', { tags: 'harbour, north side' }],
  [
    { and: [{ tags: ['harbour'] }, { skills: ['boat'] }, { near: { lat: 51.5, lon: -0.12, km: 2.5 } }] },
    'some',
    { tags: 'harbour', skills: 'boat', lat: '51.5', lon: '-0.12', km: '2.5' },
  ],
])('what the plain fields can say stands in them in a copy: %j', async (audience, who, fields) => {
  const html = await page.text(`/messages/new?from=${(await draftFor(audience)).id}`);
  expect(chosen(html)).toBe(who);
  for (const name of ['tags', 'skills', 'lat', 'lon', 'km']) expect(value(html, name), name).toBe((fields as Record<string, string>)[name] ?? '');
});

test.each([
  [{ not: { tags: ['north'] } }],
  [{ tags: ['one, with a comma'] }],
  [{ and: [{ tags: ['a'] }, { tags: ['b'] }] }],
  [{ and: [{ tags: ['a'] }, { or: [{ skills: ['b'] }, { all: true }] }] }],
])('what they cannot say stays an expression: %j', async (audience) => {
  const html = await page.text(`/messages/new?from=${(await draftFor(audience)).id}`);
  expect([chosen(html), json(html)]).toEqual(['json', audience]);
});

test('a copy for those whom a message did not reach lists exactly them, and never everybody', async () => {
  const phones = { reached: '+12125550190', failed: '+12125550191', doubt: '+12125550192', none: undefined };
  const ids: Record<string, string> = {};
  for (const [name, phone] of Object.entries(phones))
    ids[name] = (
      await createRecipient(bench.ctx, { name, tags: ['missed'], consent: ['life', 'ops', 'bulk'], ...(phone ? { phone } : { email: 'none@example.test' }) })
    ).id;
  const carrier = carriers(({ address }) =>
    address === phones.failed
      ? { kind: 'rejected', code: '21211' }
      : address === phones.doubt
        ? { kind: 'unknown', code: 'silence' }
        : { kind: 'accepted', providerId: 'p', units: 1 },
  );
  const { id } = await bench.launch('bulk', { audience: { tags: ['missed'] }, channels: ['sms'] });
  const board = () => page.text(`/messages/${id}`);
  expect(await board()).not.toContain('to=missed');
  await bench.work(carrier, 'bulk');
  await bench.makeDue();
  await bench.work(carrier, 'bulk');
  expect((await getMessage(bench.ctx, id)).state).toBe('completed');
  expect(await board()).toContain(`href="/messages/new?from=${id}&amp;to=missed">Write to those it did not reach</a>`);
  const html = await page.text(`/messages/new?from=${id}&to=missed`);
  expect([chosen(html), json(html)]).toEqual(['json', { ids: [ids['failed'], ids['none']] }]);
  expect(html).toContain('Water off until 18:00</textarea>');

  const nobody = await bench.launch('bulk', { audience: { ids: [ids['reached']] }, channels: ['sms'], text: { en: 'Water is on again' } });
  await bench.work(carrier, 'bulk');
  expect(await page.text(`/messages/${nobody.id}`)).not.toContain('to=missed');
  const back = await page.text(`/messages/new?from=${nobody.id}&to=missed`);
  expect([back.includes('id="compose"'), back.includes('id="reach-title"')]).toEqual([false, true]);
});
