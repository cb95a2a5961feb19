import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addMessage, addRecipients } from '#testing/people.ts';
import { recordAnswer } from './answer.ts';

let deps: TestDeps;
let tenantId: number;
beforeAll(async () => {
  deps = await createTestDeps();
  ({ tenantId } = await deps.tenant());
});
afterAll(() => deps.close());

const within = <T>(work: Parameters<typeof deps.db.withTenant<T>>[1]) => deps.db.withTenant(tenantId, work);
const answerOf = (messageId: string, recipientId: string) =>
  within((tx) =>
    tx.selectFrom('answers').selectAll().where('message_id', '=', messageId).where('recipient_id', '=', recipientId).executeTakeFirst(),
  );
const events = (messageId: string) =>
  within((tx) => tx.selectFrom('answer_events').selectAll().where('message_id', '=', messageId).orderBy('id').execute());
const tally = async (messageId: string) => {
  const rows = await within((tx) =>
    tx
      .selectFrom('tallies')
      .select(['key', sql<number>`sum(n)::int`.as('n')])
      .where('message_id', '=', messageId)
      .where('kind', '=', 'answer')
      .groupBy('key')
      .execute(),
  );
  return Object.fromEntries(rows.map((row) => [row.key, row.n]));
};

test('2,000 people answer at once: each has one answer, and the tally agrees', async () => {
  const message = await addMessage(deps, tenantId);
  const people = await addRecipients(deps, tenantId, 2000);
  const results = await Promise.all(
    people.map((recipientId, i) =>
      recordAnswer(deps, { tenantId, messageId: message, recipientId, key: i % 3 === 0 ? 'no' : 'yes', way: 'page' }),
    ),
  );
  expect(results.every((r) => r.first)).toBe(true);
  expect(await tally(message)).toEqual({ yes: 1333, no: 667 });
  expect(await events(message)).toHaveLength(2000);
});

test('50 answers of one person at once: one is first, its time stays, every change is kept and the tally is of one', async () => {
  const message = await addMessage(deps, tenantId);
  const [person = ''] = await addRecipients(deps, tenantId, 1);
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      recordAnswer(deps, { tenantId, messageId: message, recipientId: person, key: i % 2 ? 'no' : 'yes', way: 'page' }),
    ),
  );
  expect(results.filter((r) => r.first)).toHaveLength(1);
  const before = await answerOf(message, person);
  await recordAnswer(deps, { tenantId, messageId: message, recipientId: person, key: 'later', way: 'sms' });
  const after = await answerOf(message, person);
  expect(after).toMatchObject({ first_key: before?.first_key, first_at: before?.first_at, key: 'later', way: 'sms' });
  expect(await tally(message)).toMatchObject({ later: 1 });
  expect(Object.values(await tally(message)).reduce((a, b) => a + b, 0)).toBe(1);
  expect((await events(message)).map((e) => e.key).at(-1)).toBe('later');
  expect(await events(message)).toHaveLength((after?.changes ?? 0) + 1);
});

test('the same answer again, and the same text again, change nothing', async () => {
  const message = await addMessage(deps, tenantId);
  const [person = ''] = await addRecipients(deps, tenantId, 1);
  const answer = (key: string, dedupKey?: string) =>
    recordAnswer(deps, { tenantId, messageId: message, recipientId: person, key, way: 'sms', dedupKey });
  expect(await answer('yes', 'SM1')).toMatchObject({ first: true, key: 'yes', previousKey: null });
  expect(await answer('yes')).toMatchObject({ first: false, key: 'yes', previousKey: 'yes' });
  expect(await answer('no', 'SM2')).toMatchObject({ first: false, key: 'no', previousKey: 'yes' });
  // A repeated webhook of the first text must not turn the answer back.
  expect(await answer('yes', 'SM1')).toMatchObject({ first: false, key: 'no', previousKey: 'no' });
  expect(await events(message)).toHaveLength(2);
  expect(await tally(message)).toEqual({ yes: 0, no: 1 });
});

test('a time or a note added to the same answer is a change that keeps the tally', async () => {
  const message = await addMessage(deps, tenantId);
  const [person = ''] = await addRecipients(deps, tenantId, 1);
  const etaAt = new Date('2026-01-01T12:00:00Z');
  await recordAnswer(deps, { tenantId, messageId: message, recipientId: person, key: 'yes', way: 'page' });
  await recordAnswer(deps, { tenantId, messageId: message, recipientId: person, key: 'yes', way: 'page', etaAt, note: 'two of us\u0000' });
  expect(await answerOf(message, person)).toMatchObject({ eta_at: etaAt, note: 'two of us', changes: 1 });
  expect(await tally(message)).toEqual({ yes: 1 });
});

test('refused: unknown answer, draft, over, erased, another tenant; and the others of the group are taken', async () => {
  const message = await addMessage(deps, tenantId);
  const draft = await addMessage(deps, tenantId, { state: 'draft' });
  const old = await addMessage(deps, tenantId, { state: 'completed', expiresInHours: -73 });
  const late = await addMessage(deps, tenantId, { state: 'expired', expiresInHours: -71 });
  const silent = await addMessage(deps, tenantId, { answers: [] });
  const [one = '', two = ''] = await addRecipients(deps, tenantId, 2);
  await within((tx) =>
    tx.updateTable('recipients').set({ erased_at: new Date(), name: null, phone: null, email: null }).where('id', '=', two).execute(),
  );
  const other = await deps.tenant();
  const cases: [string, string, string, number, string][] = [
    [message, one, 'perhaps', tenantId, 'unknown_answer'],
    [draft, one, 'yes', tenantId, 'not_found'],
    [old, one, 'yes', tenantId, 'closed'],
    [message, two, 'yes', tenantId, 'gone'],
    [message, one, 'yes', other.tenantId, 'not_found'],
    [message, '99999999', 'yes', tenantId, 'not_found'],
    [silent, one, 'yes', tenantId, 'unknown_answer'],
    [message, one, 'yes', tenantId, ''],
    [late, one, 'yes', tenantId, ''],
    [silent, one, 'seen', tenantId, ''],
  ];
  const got = await Promise.allSettled(
    cases.map(([messageId, recipientId, key, tenant]) =>
      recordAnswer(deps, { tenantId: tenant, messageId, recipientId, key, way: 'page' }),
    ),
  );
  expect(got.map((r) => (r.status === 'rejected' ? (r.reason as { code: string }).code : ''))).toEqual(cases.map((c) => c[4]));
});

test('an error of the database reaches its own caller alone', async () => {
  const message = await addMessage(deps, tenantId);
  const [one = ''] = await addRecipients(deps, tenantId, 1);
  const [bad, good] = await Promise.allSettled([
    recordAnswer(deps, { tenantId, messageId: 'x', recipientId: one, key: 'yes', way: 'page' }),
    recordAnswer(deps, { tenantId, messageId: message, recipientId: one, key: 'yes', way: 'page' }),
  ]);
  expect(bad.status).toBe('rejected');
  expect(good).toMatchObject({ status: 'fulfilled', value: { first: true } });
});

test('a group that waits for a lock holds up its own people alone, and their later answers stay later', async () => {
  const message = await addMessage(deps, tenantId);
  const [slow = '', other = ''] = await addRecipients(deps, tenantId, 2);
  const answer = (recipientId: string, key: string) => recordAnswer(deps, { tenantId, messageId: message, recipientId, key, way: 'page' });
  const locked = Promise.withResolvers<void>();
  const enough = Promise.withResolvers<void>();
  // Somebody else is writing the same row, and takes it back in the end.
  const rival = within(async (tx) => {
    const now = new Date();
    const row = {
      message_id: message,
      recipient_id: slow,
      tenant_id: tenantId,
      first_key: 'no',
      first_at: now,
      key: 'no',
      answered_at: now,
      way: 'page' as const,
    };
    await tx.insertInto('answers').values(row).execute();
    locked.resolve();
    await enough.promise;
    throw new Error('taken back');
  });
  await locked.promise;
  const first = answer(slow, 'yes');
  await new Promise(setImmediate);
  const later = answer(slow, 'later');
  expect(await answer(other, 'yes')).toMatchObject({ first: true });
  expect(await answerOf(message, slow)).toBeUndefined();
  enough.resolve();
  await expect(rival).rejects.toThrow('taken back');
  expect(await first).toMatchObject({ first: true, key: 'yes' });
  expect(await later).toMatchObject({ first: false, key: 'later', previousKey: 'yes' });
  expect(await answerOf(message, slow)).toMatchObject({ first_key: 'yes', key: 'later', changes: 1 });
});
