import { afterAll, beforeAll, expect, test } from 'vitest';
import { eraseRecipient } from '#services/recipients/erase-recipient.ts';
import { pageNonce } from '#services/links/page-nonce.ts';
import { stopMessage } from '#services/messages/stop-message.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addMessage, addRecipients } from '#testing/people.ts';
import { errorHandler } from '#http/problem.ts';
import { respondRoutes } from './respond.ts';

let deps: TestDeps;
let app: ReturnType<typeof respondRoutes>;
let tenantId: number;
/** The clock of the routes under test is so many milliseconds ahead. */
let ahead = 0;
let transactions = 0;
let statementsAcross = 0;

beforeAll(async () => {
  deps = await createTestDeps();
  ({ tenantId } = await deps.tenant());
  const { db } = deps;
  const counting: TestDeps['db'] = {
    ...db,
    withTenant: (tenant, work) => {
      transactions += 1;
      return db.withTenant(tenant, work);
    },
    get across() {
      statementsAcross += 1;
      return db.across;
    },
  };
  const start = deps.clock.now();
  const own = { ...deps, db: counting, clock: { now: () => start + ahead } };
  app = respondRoutes(own);
  app.onError(errorHandler(own));
});
afterAll(() => deps.close());

const invite = async (people = 1) => {
  const message = await addMessage(deps, tenantId, { text: { en: 'Meet at Low Road' } });
  const ids = await addRecipients(deps, tenantId, people);
  const links = ids.map((person) => ({ person, token: deps.tokens.seal('answer', { a: Number(message), b: Number(person), extra: 0 }) }));
  return { message, links, person: links[0]?.person ?? '', token: links[0]?.token ?? '' };
};
const get = async (token: string): Promise<string> => (await app.request(`/r/${token}`)).text();
const post = async (token: string, fields: Record<string, string>) =>
  app.request(`/r/${token}`, { method: 'POST', body: new URLSearchParams({ nonce: pageNonce(deps, token), ...fields }) });
const banner = (page: string): string => /<div class="banner" role="status">.*<\/div>/.exec(page)?.[0] ?? '';
const asTenant = () => deps.as(tenantId);
const STOPPED = 'This message was stopped';

test('a stop shows within two seconds, on the page and in the reply to an answer', async () => {
  const { message, token } = await invite();
  expect(await get(token)).not.toContain(STOPPED);
  await stopMessage(asTenant(), deps.ids.encode('msg', message));
  ahead += 1_999;
  expect(await get(token)).not.toContain(STOPPED);
  ahead += 1;
  expect(await get(token)).toContain(STOPPED);
  expect(await (await post(token, { answer: 'no' })).text()).toContain(STOPPED);
});

test('a correction shows within two seconds', async () => {
  const { message, token } = await invite();
  await get(token);
  await addMessage(deps, tenantId, { kind: 'correction', followsId: message, text: { en: 'Meet at High Road' } });
  ahead += 2_000;
  const page = await get(token);
  expect(page.indexOf('Meet at High Road')).toBeGreaterThan(0);
  expect(page.indexOf('Meet at High Road')).toBeLessThan(page.indexOf('Meet at Low Road'));
});

test('the end of the links counts at once, although the message is kept', async () => {
  const { message, token } = await invite();
  await get(token);
  await deps.db.withTenant(tenantId, (tx) =>
    tx
      .updateTable('messages')
      .set({ expires_at: new Date(Date.UTC(2020, 0, 1)) })
      .where('id', '=', message)
      .execute(),
  );
  const answered = await post(token, { answer: 'yes' });
  expect(answered.status).toBe(410);
  expect(await answered.text()).not.toContain('Low Road');
});

test('an erased person is refused at once, by page and by answer, and so is one whose row is gone', async () => {
  const { message, links, person, token } = await invite(2);
  expect(await get(token)).toContain('Low Road');
  await eraseRecipient(asTenant(), deps.ids.encode('rcp', person));
  const other = links[1];
  await deps.db.withTenant(tenantId, (tx) =>
    tx
      .deleteFrom('recipients')
      .where('id', '=', other?.person ?? '')
      .execute(),
  );
  for (const erased of [token, other?.token ?? ''])
    for (const response of [await app.request(`/r/${erased}`), await post(erased, { answer: 'yes' })]) {
      expect(response.status).toBe(410);
      expect(await response.text()).not.toContain('Low Road');
    }
  expect(await deps.db.withTenant(tenantId, (tx) => tx.selectFrom('answers').select('key').where('message_id', '=', message).execute())).toEqual([]);
});

test('the reply to an answer says what the page says when it is opened again', async () => {
  const { person, token } = await invite();
  await deps.db.withTenant(tenantId, (tx) => tx.updateTable('recipients').set({ time_zone: 'Asia/Tokyo', locale: 'de' }).where('id', '=', person).execute());
  for (const fields of [
    { answer: 'yes', eta: '13:45', note: 'with <rope>' },
    { answer: 'yes' },
    { answer: 'yes', note: 'late' },
    { answer: 'no' },
    { answer: 'no', eta: '20' },
  ]) {
    const replied = await (await post(token, fields)).text();
    expect(banner(replied)).toContain(fields.answer === 'yes' ? 'Yes, I come' : 'No');
    expect(replied).toBe(await get(token));
  }
});

test('50 answers to a message at once share its reading, and their transactions', async () => {
  const { links } = await invite(50);
  transactions = 0;
  statementsAcross = 0;
  const statuses = await Promise.all(links.map(async ({ token }) => (await post(token, { answer: 'yes' })).status));
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(statementsAcross).toBe(1);
  // One transaction reads the message; each of the others writes a group of answers.
  expect(transactions).toBeLessThan(10);
});
