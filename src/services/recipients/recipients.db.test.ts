import { createECDH, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addMessage, addRecipients } from '#testing/people.ts';
import { addPushSubscription } from './add-push-subscription.ts';
import { addSuppression } from './add-suppression.ts';
import { recordAnswer } from '#services/answers/answer.ts';
import { changeConsent } from './change-consent.ts';
import { changeRecipient } from './change-recipient.ts';
import type { Context } from '#services/context.ts';
import { createRecipient } from './create-recipient.ts';
import { eraseRecipient } from './erase-recipient.ts';
import { getRecipient } from './get-recipient.ts';
import { listRecipients, streamRecipients } from './list-recipients.ts';
import { listSuppressions } from './list-suppressions.ts';
import { removeSuppression } from './remove-suppression.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps({ PUSH_HOSTS: 'push.example.test' });
});
afterAll(() => deps.close());

const newTenant = async (): Promise<Context> => deps.as((await deps.tenant()).tenantId);
const inTenant: Context['db']['withTenant'] = (id, work) => deps.db.withTenant(id, work);

describe('one person', () => {
  test('is written as given and read back normalised', async () => {
    const ctx = await newTenant();
    const made = await createRecipient(ctx, {
      name: ' Ann ',
      phone: '(415) 555-0100',
      email: 'ANN@Example.org',
      timeZone: 'europe/berlin',
      tags: ['b', 'a'],
      lat: 47.5,
      lon: 8,
    });
    expect(made).toMatchObject({
      name: 'Ann',
      phone: '+14155550100',
      email: 'ann@example.org',
      timeZone: 'Europe/Berlin',
      tags: ['a', 'b'],
      consent: null,
      origin: 'api',
      pushSubscriptions: 0,
    });
    expect(await getRecipient(ctx, made.id)).toEqual(made);
    await expect(getRecipient(await newTenant(), made.id)).rejects.toMatchObject({ status: 404 });
    await expect(getRecipient(ctx, 'rcp_nothing')).rejects.toMatchObject({ status: 404 });
  });

  test('wrong fields are all named as the API names them', async () => {
    const ctx = await newTenant();
    const refused = createRecipient(ctx, { phone: '1', timeZone: 'x', locale: 'qqq-zz' });
    await expect(refused).rejects.toMatchObject({ status: 422, errors: [{ field: 'phone' }, { field: 'locale' }, { field: 'timeZone' }] });
    await expect(createRecipient(ctx, { name: 'only' })).rejects.toMatchObject({ status: 422, code: 'no_identity' });
    await expect(createRecipient(ctx, { externalId: '1', lat: 4 })).rejects.toMatchObject({ errors: [{ field: 'lon' }] });
  });

  test('an address of somebody else is a conflict that names the field and the person', async () => {
    const ctx = await newTenant();
    const ann = await createRecipient(ctx, { phone: '+14155550100' });
    const bob = await createRecipient(ctx, { email: 'bob@example.org' });
    const conflict = { status: 409, code: 'address_taken', errors: [{ field: 'phone' }], extra: { recipientId: ann.id } };
    await expect(createRecipient(ctx, { phone: '4155550100', externalId: 'x' })).rejects.toMatchObject(conflict);
    await expect(changeRecipient(ctx, bob.id, { phone: '4155550100' })).rejects.toMatchObject(conflict);
  });

  test('a change sets what is given, clears what is null, leaves the rest, and forgets that the old number was dead', async () => {
    const ctx = await newTenant();
    const { id } = await createRecipient(ctx, {
      name: 'Ann',
      phone: '+14155550100',
      email: 'ann@example.org',
      lat: 1,
      lon: 2,
      tags: ['a'],
      consent: ['bulk'],
    });
    await inTenant(ctx.tenantId, (tx) =>
      tx
        .updateTable('recipients')
        .set({ phone_invalid_at: new Date(0), email_invalid_at: new Date(0) })
        .where('tenant_id', '=', ctx.tenantId)
        .execute(),
    );
    const changed = await changeRecipient(ctx, id, { phone: '+14155550101', lat: null, lon: null, tags: [], consent: null });
    expect(changed).toMatchObject({
      name: 'Ann',
      phone: '+14155550101',
      email: 'ann@example.org',
      lat: null,
      lon: null,
      tags: [],
      consent: null,
      phoneInvalidAt: null,
    });
    expect(changed.emailInvalidAt).not.toBeNull();
    await expect(changeRecipient(ctx, id, { phone: null, email: null })).rejects.toMatchObject({ code: 'no_identity' });
    await expect(changeRecipient(ctx, id, { lat: 5 })).rejects.toMatchObject({ code: 'place_incomplete' });
    expect(await getRecipient(ctx, id)).toEqual(changed);
  });

  test('consent is given and withdrawn purpose by purpose; the first word about one says that the others stay', async () => {
    const ctx = await newTenant();
    const { id } = await createRecipient(ctx, { externalId: '1' });
    expect((await changeConsent(ctx, id, { purpose: 'ops', agreed: false })).consent).toEqual(['life']);
    expect((await changeConsent(ctx, id, { purpose: 'bulk', agreed: true })).consent).toEqual(['life', 'bulk']);
    expect((await changeConsent(ctx, id, { purpose: 'bulk', agreed: true })).consent).toEqual(['life', 'bulk']);
  });
});

describe('searching', () => {
  test('finds by name, number, address, external id and tag, in pages, newest first, without the erased', async () => {
    const ctx = await newTenant();
    const made = [];
    for (let i = 0; i < 7; i++)
      made.push(
        await createRecipient(ctx, {
          externalId: `E${i}`,
          name: `100% Ann_${i}`,
          phone: `+1415555010${i}`,
          email: `p${i}@example.org`,
          tags: i % 2 ? ['odd'] : ['even'],
        }),
      );
    await eraseRecipient(ctx, made[6]?.id ?? '');
    const found = async (input: Parameters<typeof listRecipients>[1]) =>
      (await listRecipients(ctx, input)).items.map((person) => person.externalId);
    expect(await found({})).toEqual(['E5', 'E4', 'E3', 'E2', 'E1', 'E0']);
    expect(await found({ q: '% ann_3' })).toEqual(['E3']);
    expect(await found({ q: '415-555-0102' })).toEqual(['E2']);
    expect(await found({ q: 'P4@EXAMPLE' })).toEqual(['E4']);
    expect(await found({ q: 'E1' })).toEqual(['E1']);
    expect(await found({ tag: 'odd', q: 'ann' })).toEqual(['E5', 'E3', 'E1']);
    const first = await listRecipients(ctx, { limit: 4 });
    const second = await listRecipients(ctx, { limit: 4, cursor: first.next ?? '' });
    expect([...first.items, ...second.items].map((person) => person.externalId)).toEqual(['E5', 'E4', 'E3', 'E2', 'E1', 'E0']);
    expect(second.next).toBeNull();
    await expect(listRecipients(ctx, { cursor: 'x' })).rejects.toMatchObject({ code: 'invalid_cursor' });
  });

  test('an export goes through more than one page and misses nobody', async () => {
    const ctx = await newTenant();
    const rows = Array.from({ length: 2_500 }, (_, i) => ({ tenant_id: ctx.tenantId, external_id: `E${i}` }));
    await inTenant(ctx.tenantId, (tx) => tx.insertInto('recipients').values(rows).execute());
    const seen = new Set<string | null>();
    for await (const page of streamRecipients(ctx)) for (const person of page) seen.add(person.externalId);
    expect(seen.size).toBe(2_500);
  });
});

test('erasing takes every address and word away, keeps the row, and cannot be undone by adding the person again', async () => {
  const ctx = await newTenant();
  const { id } = await createRecipient(ctx, {
    externalId: 'x',
    name: 'Ann',
    phone: '+14155550100',
    email: 'ann@example.org',
    lat: 1,
    lon: 1,
    tags: ['a'],
    consent: ['bulk'],
  });
  await addPushSubscription(ctx, id, subscription());
  await addSuppression(ctx, { address: 'ann@example.org' });
  await eraseRecipient(ctx, id);
  await eraseRecipient(ctx, id);
  await expect(getRecipient(ctx, id)).rejects.toMatchObject({ status: 410, code: 'erased' });
  const left = await inTenant(ctx.tenantId, async (tx) => ({
    row: await tx.selectFrom('recipients').selectAll().executeTakeFirstOrThrow(),
    subscriptions: await tx.selectFrom('push_subscriptions').select('id').execute(),
    suppressions: await tx.selectFrom('suppressions').select('address').execute(),
  }));
  expect(left).toMatchObject({
    subscriptions: [],
    suppressions: [],
    row: { external_id: null, name: null, phone: null, email: null, lat: null, tags: [], push_count: 0 },
  });
  expect(JSON.stringify(left)).not.toMatch(/ann|4155550100/i);
  await expect(createRecipient(ctx, { phone: '+1 415 555 0100' })).rejects.toMatchObject({
    status: 422,
    code: 'erased',
    errors: [{ field: 'phone' }],
  });
  await expect(createRecipient(await newTenant(), { phone: '+1 415 555 0100' })).resolves.toBeDefined();
});

test('an erasure takes what the person wrote beside an answer, out of the history too, and nobody else can be made silent', async () => {
  const ctx = await newTenant();
  const { tenantId } = ctx;
  const messageId = await addMessage(deps, tenantId);
  const [ann = '', bob = ''] = await addRecipients(deps, tenantId, 2);
  for (const recipientId of [ann, bob])
    for (const note of ['my mother is ill', 'still here'])
      await recordAnswer(deps, { tenantId, messageId, recipientId, key: note === 'still here' ? 'no' : 'yes', way: 'page', note });
  const notes = () =>
    inTenant(tenantId, async (tx) => {
      const history = await tx
        .selectFrom('answer_events')
        .select(['recipient_id', 'key', 'note'])
        .where('message_id', '=', messageId)
        .orderBy('id')
        .execute();
      const inForce = await tx.selectFrom('answers').select(['recipient_id', 'note']).where('message_id', '=', messageId).execute();
      const of = (id: string) => [...history, ...inForce].filter((row) => row.recipient_id === id).map((row) => row.note);
      return { ann: of(ann), bob: of(bob), keys: history.map((row) => row.key) };
    });
  const before = await notes();
  expect(before).toEqual({ ann: ['my mother is ill', 'still here', 'still here'], bob: before.ann, keys: ['yes', 'no', 'yes', 'no'] });
  const forget = (id: string, as = tenantId) => inTenant(as, (tx) => sql`SELECT forget_notes(${id})`.execute(tx));
  await forget(bob);
  await forget(ann, (await newTenant()).tenantId);
  expect(await notes()).toEqual(before);
  await eraseRecipient(ctx, ctx.ids.encode('rcp', ann));
  expect(await notes()).toEqual({ ...before, ann: [null, null, null] });
});

function subscription(endpoint = `https://push.example.test/${randomBytes(8).toString('hex')}`) {
  const key = createECDH('prime256v1');
  return { endpoint, expirationTime: null, keys: { p256dh: key.generateKeys('base64url'), auth: randomBytes(16).toString('base64url') } };
}

describe('push subscriptions', () => {
  test('are counted on the person, once per browser, and move with the browser', async () => {
    const ctx = await newTenant();
    const [ann, bob] = [await createRecipient(ctx, { externalId: 'a' }), await createRecipient(ctx, { externalId: 'b' })];
    const one = subscription();
    expect(await addPushSubscription(ctx, ann.id, one)).toEqual({ pushSubscriptions: 1 });
    expect(await addPushSubscription(ctx, ann.id, { ...one, keys: subscription().keys })).toEqual({ pushSubscriptions: 1 });
    expect(await addPushSubscription(ctx, ann.id, subscription())).toEqual({ pushSubscriptions: 2 });
    expect(await addPushSubscription(ctx, bob.id, one)).toEqual({ pushSubscriptions: 1 });
    expect(await getRecipient(ctx, ann.id)).toMatchObject({ pushSubscriptions: 1 });
    await Promise.all(Array.from({ length: 6 }, () => addPushSubscription(ctx, bob.id, subscription())));
    expect(await getRecipient(ctx, bob.id)).toMatchObject({ pushSubscriptions: 7 });
    for (let i = 0; i < 15; i++) await addPushSubscription(ctx, ann.id, subscription());
    for (let i = 0; i < 10; i++) await addPushSubscription(ctx, ann.id, subscription());
    expect(await getRecipient(ctx, ann.id)).toMatchObject({ pushSubscriptions: 20 });
  });

  test('strange endpoints and keys that are no keys are refused', async () => {
    const ctx = await newTenant();
    const { id } = await createRecipient(ctx, { externalId: 'a' });
    const good = subscription();
    for (const endpoint of ['http://push.example.test/x', 'https://10.0.0.1/x', 'https://push.example.test.evil.test/x', 'x'])
      await expect(addPushSubscription(ctx, id, { ...good, endpoint })).rejects.toMatchObject({
        status: 422,
        errors: [{ field: 'endpoint' }],
      });
    const offCurve = Buffer.alloc(65, 7);
    offCurve[0] = 4;
    for (const p256dh of ['', offCurve.toString('base64url'), good.keys.auth])
      await expect(addPushSubscription(ctx, id, { ...good, keys: { ...good.keys, p256dh } })).rejects.toMatchObject({
        errors: [{ field: 'keys.p256dh' }],
      });
    await expect(addPushSubscription(ctx, id, { ...good, keys: { ...good.keys, auth: 'AA' } })).rejects.toMatchObject({
      errors: [{ field: 'keys.auth' }],
    });
  });
});

test('suppressions: one sender or all of a channel, normalised, listed in pages, removed again', async () => {
  const ctx = await newTenant();
  expect(await addSuppression(ctx, { address: '(415) 555-0100' })).toEqual({ added: 2 });
  expect(await addSuppression(ctx, { address: '+14155550100' })).toEqual({ added: 0 });
  const first = await listSuppressions(ctx, { limit: 1 });
  expect(first.items).toMatchObject([{ address: '+14155550100', reason: 'manual', source: 'system' }]);
  expect((await listSuppressions(ctx, { limit: 1, cursor: first.next ?? '' })).next).toBeNull();
  const senderId = first.items[0]?.senderId ?? '';
  await expect(addSuppression(ctx, { address: 'a@example.org', senderId })).rejects.toMatchObject({ errors: [{ field: 'senderId' }] });
  await expect(addSuppression(ctx, { address: 'nobody' })).rejects.toMatchObject({ status: 422 });
  await removeSuppression(ctx, { address: '415 555 0100', senderId });
  expect((await listSuppressions(ctx)).items).toHaveLength(1);
  await expect(removeSuppression(ctx, { address: '+14155550100', senderId })).rejects.toMatchObject({ status: 404 });
});
