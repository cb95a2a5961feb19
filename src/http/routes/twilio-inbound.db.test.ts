import { sql } from 'kysely';
import twilio from 'twilio';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { hooksOf, installChannels } from '#channels/registry.ts';
import { errorHandler } from '#http/problem.ts';
import { joinCode, openJoinCode } from '#services/spread/join-code.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addDelivery, addMessage, addRecipients, type MessageShape } from '#testing/people.ts';
import { hooksRoutes } from './hooks.ts';

const ACCOUNT = `AC${'0'.repeat(32)}`;
const TOKEN = 'a secret of the tests';
const PATH = '/hooks/twilio/inbound';

let deps: TestDeps;
let app: ReturnType<typeof hooksRoutes>;
let tenantId: number;
let number: string;
beforeAll(async () => {
  deps = await createTestDeps({ TWILIO_ACCOUNT_SID: ACCOUNT, TWILIO_AUTH_TOKEN: TOKEN, PUBLIC_URL: 'https://muster.test' });
  app = hooksRoutes(deps, hooksOf(await installChannels(deps.config)));
  app.onError(errorHandler(deps));
  ({ tenantId } = await deps.tenant({ name: 'Fell & Rescue' }));
  const sender = await within((tx) =>
    tx.selectFrom('senders').select('address').where('channel', '=', 'sms').where('drill', '=', false).executeTakeFirstOrThrow(),
  );
  number = sender.address;
});
afterAll(() => deps.close());

const within = <T>(work: Parameters<typeof deps.db.withTenant<T>>[1]) => deps.db.withTenant(tenantId, work);
let sids = 0;
const fieldsOf = (from: string, body: string, more: Record<string, string> = {}) => ({
  AccountSid: ACCOUNT,
  MessageSid: `SM${sids++}`,
  From: from,
  To: number,
  Body: body,
  NumMedia: '0',
  ...more,
});
const send = (fields: Record<string, string>, signature = twilio.getExpectedTwilioSignature(TOKEN, `https://muster.test${PATH}`, fields)) =>
  app.request(PATH, { method: 'POST', body: new URLSearchParams(fields), headers: { 'X-Twilio-Signature': signature } });
const say = async (from: string, body: string, more: Record<string, string> = {}) => {
  const response = await send(fieldsOf(from, body, more));
  expect(response.status).toBe(200);
  const xml = await response.text();
  return /<Message>(.*)<\/Message>/s.exec(xml)?.[1] ?? (xml.endsWith('<Response/>') ? '' : xml);
};
const phoneOf = (id: string) =>
  within(async (tx) => (await tx.selectFrom('recipients').select('phone').where('id', '=', id).executeTakeFirstOrThrow()).phone ?? '');
const called = async (shape: MessageShape = {}, who?: string) => {
  const message = await addMessage(deps, tenantId, shape);
  const [fresh = ''] = who ? [who] : await addRecipients(deps, tenantId, 1);
  await addDelivery(deps, tenantId, { messageId: message, recipientId: fresh, channel: 'sms' });
  return { message, person: fresh, phone: await phoneOf(fresh) };
};
const answersOf = (message: string) => within((tx) => tx.selectFrom('answers').selectAll().where('message_id', '=', message).execute());
const texts = (phone: string) => within((tx) => tx.selectFrom('inbound_texts').selectAll().where('from_address', '=', phone).orderBy('id').execute());
const suppressed = (phone: string) => within((tx) => tx.selectFrom('suppressions').selectAll().where('address', '=', phone).execute());

test('forged, unsigned, of another account and oversized are refused and leave nothing', async () => {
  const { phone, message } = await called();
  const fields = fieldsOf(phone, '1');
  expect((await send(fields, 'x')).status).toBe(403);
  expect((await send(fields, '')).status).toBe(403);
  expect((await send({ ...fields, Body: '2' }, twilio.getExpectedTwilioSignature(TOKEN, `https://muster.test${PATH}`, fields))).status).toBe(403);
  expect((await send({ ...fields, AccountSid: `AC${'1'.repeat(32)}` })).status).toBe(403);
  expect((await send({ ...fields, Body: 'x'.repeat(20_000) })).status).toBe(413);
  expect(await answersOf(message)).toEqual([]);
  expect(await texts(phone)).toEqual([]);
});

test('an answer is recorded, and only one with a time is echoed', async () => {
  const { phone, message, person } = await called();
  await within((tx) => tx.updateTable('recipients').set({ time_zone: 'Europe/London' }).where('id', '=', person).execute());
  expect(await say(phone, '1')).toBe('');
  expect(await say(phone, 'yes 13:45 bring rope')).toBe('Noted: yes, 13:45.');
  expect(await answersOf(message)).toMatchObject([{ key: 'yes', way: 'sms', note: '13:45 bring rope', changes: 1 }]);
  await within((tx) => tx.updateTable('recipients').set({ time_zone: null }).where('id', '=', person).execute());
  expect(await say(phone, 'Y 30')).toBe('Noted: yes, in 30 min.');
  expect(await texts(phone)).toMatchObject([{ outcome: 'answer' }, { outcome: 'answer' }, { outcome: 'answer', message_id: message, needs_human: false }]);
});

test('a repeated webhook, also at once, answers the same and changes nothing', async () => {
  const { phone, message } = await called();
  const fields = fieldsOf(phone, 'yes in 20 min');
  const replies = await Promise.all(Array.from({ length: 10 }, async () => (await send(fields)).text()));
  expect(new Set(replies)).toEqual(new Set(['<?xml version="1.0" encoding="UTF-8"?><Response><Message>Noted: yes, in 20 min.</Message></Response>']));
  await say(phone, 'no');
  expect(await (await send(fields)).text()).toBe(replies[0]);
  expect(await answersOf(message)).toMatchObject([{ key: 'no', changes: 1 }]);
  expect(await texts(phone)).toHaveLength(2);
});

test.each([
  ['STOP', true],
  ['stop', true],
  [' Stop. ', true],
  ['UNSUBSCRIBE', true],
  ['End', true],
  ['quit', true],
  ['CANCEL', true],
  ['ARRÊT', true],
  ['stop please', false],
  ['We have got to STOP this bill', false],
  ['End of the road, 10 min', false],
])('"%s" ends texts: %s', async (body, ends) => {
  const { phone } = await called();
  const reply = await say(phone, body);
  expect((await suppressed(phone)).length > 0).toBe(ends);
  const [text] = await texts(phone);
  expect(text).toMatchObject(ends ? { outcome: 'stop', needs_human: false } : { outcome: 'unclear', needs_human: true });
  if (ends) expect(reply).toBe('');
});

test('a reserved word amid a life message is obeyed and shown to a human', async () => {
  const { phone } = await called({ class: 'life' });
  await say(phone, 'CANCEL');
  expect(await suppressed(phone)).toMatchObject([{ reason: 'opted_out', source: 'sms' }]);
  expect(await texts(phone)).toMatchObject([{ outcome: 'stop', needs_human: true }]);
});

test('START takes the stop back; YES does so only where nothing is open', async () => {
  const { phone, message } = await called();
  await say(phone, 'STOP');
  expect(await say(phone, 'yes')).toBe('');
  expect(await answersOf(message)).toMatchObject([{ key: 'yes' }]);
  expect(await suppressed(phone)).toHaveLength(1);
  await say(phone, 'START');
  expect(await suppressed(phone)).toEqual([]);
  const [person = ''] = await addRecipients(deps, tenantId, 1);
  const quiet = await phoneOf(person);
  await say(quiet, 'stop');
  await say(quiet, 'Yes');
  expect(await suppressed(quiet)).toEqual([]);
  expect((await texts(quiet)).map((t) => t.outcome)).toEqual(['stop', 'start']);
});

test('HELP names the tenant and how to stop; where it is also the answer, both count; a carrier that answered is not talked over', async () => {
  const { phone } = await called();
  expect(await say(phone, 'help')).toMatch(/^Fell &amp; Rescue .*STOP/);
  expect(await say(phone, 'help', { OptOutType: 'HELP' })).toBe('');
  const flood = await called({
    class: 'life',
    answers: [
      { key: 'safe', label: 'Safe' },
      { key: 'help', label: 'Need help' },
    ],
  });
  await say(flood.phone, 'HELP');
  expect(await answersOf(flood.message)).toMatchObject([{ key: 'help' }]);
  expect(await texts(flood.phone)).toMatchObject([{ outcome: 'help', needs_human: true }]);
});

test('unreadable goes to a human with one hint an hour; a question inside an answer too', async () => {
  const { phone, message } = await called();
  expect(await say(phone, 'where is it?')).toMatch(/reply 1 Yes, I come, 2 No, 3 Later/);
  expect(await say(phone, 'hello?')).toBe('');
  await say(phone, 'yes, which car park?');
  expect(await texts(phone)).toMatchObject([
    { outcome: 'unclear', needs_human: true, message_id: message },
    { outcome: 'unclear', needs_human: true },
    { outcome: 'answer', needs_human: true },
  ]);
});

test('what cannot be read is answered with the name of the message whose options are told', async () => {
  const { person, phone } = await called({ title: 'Sandbags at the harbour' });
  await called({ answers: [], title: 'Thank you all' }, person);
  expect(await say(phone, 'which gate?')).toBe(
    'We could not read that as an answer to &quot;Sandbags at the harbour&quot;; a person will. To be counted at once, reply 1 Yes, I come, 2 No, 3 Later.',
  );
  const untitled = await called({ drill: true, text: { de: '{{first_name}}, bitte zur Wache kommen: {{link}}', en: 'Come' } });
  await within((tx) => tx.updateTable('recipients').set({ locale: 'de-AT' }).where('id', '=', untitled.person).execute());
  expect(await say(untitled.phone, 'wohin?')).toMatch(/^EXERCISE Das konnten wir nicht als Antwort auf &quot;bitte zur Wache kommen/);
});

test('unknown numbers and people whom nobody asked are kept for a human and not talked to', async () => {
  expect(await say('+447700900999', 'who is this')).toBe('');
  expect(await texts('+447700900999')).toMatchObject([{ outcome: 'unmatched', needs_human: true, recipient_id: null }]);
  expect(await say('+447700900998', 'STOP')).toBe('');
  expect(await suppressed('+447700900998')).toHaveLength(1);
  expect(await say('+447700900997', '1', { To: '+19995550000' })).toBe('');
});

test('a late answer is kept and gets a kind, true sentence, once', async () => {
  const { phone, message } = await called({ state: 'expired', expiresInHours: -1 });
  expect(await say(phone, 'yes')).toMatch(/^Thank you\. This call by Fell &amp; Rescue \(&quot;.+&quot;\) has ended\. Your answer was kept/);
  expect(await say(phone, 'no')).toBe('');
  expect(await answersOf(message)).toMatchObject([{ key: 'no', changes: 1 }]);
  expect(await texts(phone)).toMatchObject([{ outcome: 'late' }, { outcome: 'late' }]);
  const drill = await called({ state: 'expired', expiresInHours: -1, drill: true, title: 'Sandbags at the harbour' });
  expect(await say(drill.phone, 'yes')).toMatch(/^EXERCISE Thank you\. This call by Fell &amp; Rescue \(&quot;.*&quot;\) has ended\./);
});

test('the most recent open message that asks is answered; a drill’s echo says that it is one', async () => {
  const first = await called();
  const second = await called({ drill: true }, first.person);
  await called({ answers: [] }, first.person);
  await called({ state: 'expired', expiresInHours: -1 }, first.person);
  expect(await say(first.phone, 'y 10')).toMatch(/^EXERCISE Noted: yes/);
  expect(await answersOf(second.message)).toHaveLength(1);
  expect(await answersOf(first.message)).toEqual([]);
});

test('JOIN with the code of a share adds the person below the sharer, once, and plans the message for him alone', async () => {
  const { message, person } = await called({ share: true });
  const code = joinCode(deps, message, person);
  expect(code.length).toBeLessThanOrEqual(14);
  expect(openJoinCode(deps, code.toLowerCase().replaceAll('-', ' '))).toEqual({ messageId: message, parentId: person });
  const phone = '+447700900123';
  expect(await say(phone, `join ${code}`)).toMatch(/^You have joined Fell &amp; Rescue/);
  expect(await say(phone, `JOIN ${code}`)).toMatch(/^You have joined/);
  const people = await within((tx) => tx.selectFrom('recipients').selectAll().where('phone', '=', phone).execute());
  expect(people).toMatchObject([{ origin: 'share', parent_id: person, generation: 1 }]);
  const waves = await within((tx) => tx.selectFrom('waves').selectAll().where('message_id', '=', message).execute());
  expect(waves).toMatchObject([{ selects: 'ids', recipient_ids: [people[0]?.id], state: 'waiting', channels: expect.anything() as unknown }]);
  expect(deps.nudges).toContainEqual({ name: 'plan', data: { tenantId, waveId: waves[0]?.id } });
  const tallies = await within((tx) =>
    tx
      .selectFrom('tallies')
      .select(['kind', 'key', sql<number>`n::int`.as('n')])
      .where('message_id', '=', message)
      .orderBy('kind')
      .execute(),
  );
  expect(tallies).toEqual([
    { kind: 'join', key: '1', n: 1 },
    { kind: 'share', key: '0', n: 1 },
  ]);
  const wrong = code.replace(/.$/, (c) => (c === '0' ? '1' : '0'));
  expect(await say('+447700900124', `JOIN ${wrong}`)).toBe('');
  expect(await within((tx) => tx.selectFrom('recipients').select('id').where('phone', '=', '+447700900124').execute())).toEqual([]);
  const over = await called({ share: true, state: 'stopped' });
  expect(await say('+447700900125', `JOIN ${joinCode(deps, over.message, over.person)}`)).toMatch(/has ended/);
});
