import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MessageView } from '#schemas/views.ts';
import { startSystem, type System } from '#testing/system.ts';

let system: System;
let launched: MessageView;
beforeAll(async () => {
  system = await startSystem({
    behaviour: {
      sms: { receipts: { delaySeconds: 0.2, undeliveredShare: 0.05, repeat: 2, order: 'reversed' } },
      push: { displaySeconds: 0.1, beaconShare: 1 },
      email: { bounceDelaySeconds: 0.2 },
      crowd: {
        answerShare: 0.7,
        delay: { medianSeconds: 0.5, spread: 0.5, maxSeconds: 3 },
        bySmsShare: 0.5,
        byActionShare: 0.5,
        shareShare: 0.3,
        joinShare: 0.5,
        joinBySmsShare: 0.4,
        joinByPushShare: 0.2,
        maxGuests: 20,
        stopShare: 0.02,
        bounceShare: 0.1,
      },
      robots: { share: 0.5, withinSeconds: 1, deep: true },
    },
  });
  await importPeople();
  const answer = await launch();
  expect(answer.status).toBe(201);
  launched = answer.body;
  await system.message<MessageView>(
    launched.id,
    (view) => view.state === 'completed' && view.answers['none'] !== undefined && view.answers['none'] < PEOPLE / 2,
  );
  await system.simulator.idle();
});
afterAll(() => system.close());

const PEOPLE = 240;

/** All pages of a list. */
async function all<T>(path: string): Promise<T[]> {
  const items: T[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { items: T[]; next: string | null } = (
      await system.call<{ items: T[]; next: string | null }>('GET', `${path}?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
    ).body;
    items.push(...page.items);
    cursor = page.next;
  }
  return items;
}

/** A third of the people have a browser, a third only a phone, and a third only mail. */
async function importPeople(): Promise<void> {
  const rows = Array.from(
    { length: PEOPLE },
    (_, i) => `p${i},Person ${i},${i % 3 === 2 ? '' : `+1202${String(3_000_000 + i)}`},${i % 3 === 2 ? `p${i}@example.test` : ''},life;ops;bulk`,
  );
  const { body } = await system.call<{ created: number }>(
    'POST',
    '/v1/recipients/import',
    `\uFEFFexternal_id,name,phone,email,consent\r\n${rows.join('\r\n')}`,
    { 'content-type': 'text/csv' },
  );
  expect(body.created).toBe(PEOPLE);
  const people = await all<{ id: string; externalId: string }>('/v1/recipients');
  const browsers = people.filter((person) => Number(person.externalId.slice(1)) % 3 === 0);
  const subscriptions = await system.simulator.subscriptions(browsers.length);
  for (const [i, person] of browsers.entries()) {
    const { status } = await system.call('POST', `/v1/recipients/${person.id}/push-subscriptions`, subscriptions[i]);
    expect(status).toBe(201);
  }
}

const launch = (extra: Record<string, unknown> = {}) =>
  system.call<MessageView>('POST', '/v1/messages', {
    class: 'ops',
    title: 'Sandbags',
    text: { en: 'Sandbags needed at the harbour, {{first_name}}. Can you come?' },
    audience: { all: true },
    channels: ['push', 'sms', 'email'],
    answers: [
      { key: 'yes', label: 'I come', counts: true },
      { key: 'no', label: 'Not today' },
    ],
    share: true,
    launch: true,
    ...extra,
  });

test('people get it on three channels, answer by page, text and button, and pass it on; robots count for nothing', async () => {
  const view = await system.message<MessageView>(launched.id, (v) => v.deliveries.pending === 0 && v.deliveries.attempting === 0);

  expect(view.audience.count).toBe(PEOPLE);
  const { delivered, accepted, failed } = view.deliveries;
  expect(delivered + accepted + failed).toBe(PEOPLE + view.spread.joins);
  expect(delivered).toBeGreaterThan(PEOPLE / 3);

  interface Answer {
    key: string;
    way: string;
    recipientId: string;
  }
  const answers = await all<Answer>(`/v1/messages/${launched.id}/answers`);
  expect(new Set(answers.map((answer) => answer.way))).toEqual(new Set(['page', 'sms', 'push']));
  expect(new Set(answers.map((answer) => answer.recipientId)).size).toBe(answers.length);
  for (const key of ['yes', 'no']) expect(view.answers[key]).toBe(answers.filter((answer) => answer.key === key).length);
  expect(view.answers['none']).toBe(PEOPLE + view.spread.joins - answers.length);

  expect(view.spread.joins).toBeGreaterThan(0);
  expect(view.spread.generations).toBeGreaterThan(0);
  const spread = (await system.call<{ edges?: { items?: unknown[] }; items?: { parentId: string | null }[] }>('GET', `/v1/messages/${launched.id}/spread`))
    .body;
  expect(JSON.stringify(spread)).toContain('rcp_');
});

test('a refused number is suppressed or marked, a bounced mailbox is not written to again', async () => {
  const { body: second } = await launch({ text: { en: 'Second call' }, share: false, audience: { not: { tags: ['nobody'] } } });
  await system.message<MessageView>(second.id, (view) => view.state === 'completed');
  const suppressed = (await system.call<{ items: { reason: string }[] }>('GET', '/v1/suppressions')).body.items;
  expect(suppressed.map((item) => item.reason)).toContain('no_mailbox');
  const calls = system.calls().filter((call) => call.body?.includes('Second call') && call.channel === 'sms');
  expect(new Set(calls.map((call) => call.to)).size).toBe(calls.length);
});

test('no log line of any process holds an address, a text or a token', async () => {
  const logs = system.logs();
  expect(logs.length).toBeGreaterThan(1_000);
  expect(logs).not.toMatch(/\+1202\d{7}/);
  expect(logs).not.toMatch(/@example\.test/);
  expect(logs).not.toMatch(/Sandbags needed/);
  expect(logs).not.toMatch(/\/[rsu]\/a[0-9A-Za-z]{22}/);
  expect(logs).not.toContain(system.apiKey);
});
