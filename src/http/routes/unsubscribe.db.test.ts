import { afterAll, beforeAll, expect, test } from 'vitest';
import { packRef } from '#domain/delivery/refs.ts';
import { errorHandler } from '#http/problem.ts';
import type { Channel } from '#schemas/delivery.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addDelivery, addMessage, addRecipients } from '#testing/people.ts';
import { unsubscribeRoutes } from './unsubscribe.ts';

let deps: TestDeps;
let app: ReturnType<typeof unsubscribeRoutes>;
let tenantId: number;
beforeAll(async () => {
  deps = await createTestDeps();
  app = unsubscribeRoutes(deps);
  app.onError(errorHandler(deps));
  ({ tenantId } = await deps.tenant({ name: 'Fell Rescue' }));
});
afterAll(() => deps.close());

const within = <T>(work: Parameters<typeof deps.db.withTenant<T>>[1]) => deps.db.withTenant(tenantId, work);
const sent = async (channel: Channel) => {
  const message = await addMessage(deps, tenantId);
  const [person = ''] = await addRecipients(deps, tenantId, 1);
  await addDelivery(deps, tenantId, { messageId: message, recipientId: person, channel });
  const token = deps.tokens.seal('unsubscribe', packRef({ messageId: message, recipientId: person, channel, wave: 0 }));
  const { email } = await within((tx) => tx.selectFrom('recipients').select('email').where('id', '=', person).executeTakeFirstOrThrow());
  return { token, person, email: email ?? '' };
};
const suppressions = (address: string) => within((tx) => tx.selectFrom('suppressions').selectAll().where('address', '=', address).execute());

test('GET and HEAD show and change nothing; a one-click POST in either form acts, without cookie or redirect, also twice', async () => {
  for (const body of [new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }), Object.assign(new FormData(), {})]) {
    if (body instanceof FormData) body.set('List-Unsubscribe', 'One-Click');
    const { token, email } = await sent('email');
    const shown = await app.request(`/u/${token}`);
    expect(await shown.text()).toContain('Do you want no more of these messages from Fell Rescue?');
    await app.request(`/u/${token}`, { method: 'HEAD' });
    expect(await suppressions(email)).toEqual([]);
    for (let i = 0; i < 2; i++) {
      const done = await app.request(`/u/${token}`, { method: 'POST', body });
      expect(done.status).toBe(200);
      expect(done.headers.get('set-cookie')).toBeNull();
    }
    expect(await suppressions(email)).toMatchObject([{ reason: 'opted_out', source: 'link' }]);
    expect(await (await app.request(`/u/${token}`)).text()).toContain('You get no more of these messages');
  }
});

test('a POST that does not say One-Click changes nothing', async () => {
  const { token, email } = await sent('email');
  const refused = await app.request(`/u/${token}`, { method: 'POST', body: new URLSearchParams({ x: 'y' }) });
  expect(refused.status).toBe(400);
  expect(await suppressions(email)).toEqual([]);
});

test('push: the subscriptions go', async () => {
  const { token, person } = await sent('push');
  await within(async (tx) => {
    await tx
      .insertInto('push_subscriptions')
      .values({ tenant_id: tenantId, recipient_id: person, endpoint: 'https://push.test/1', p256dh: 'x', auth: 'x' })
      .execute();
    await tx.updateTable('recipients').set({ push_count: 1 }).where('id', '=', person).execute();
  });
  await app.request(`/u/${token}`, { method: 'POST', body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click' }) });
  expect(await within((tx) => tx.selectFrom('push_subscriptions').select('id').where('recipient_id', '=', person).execute())).toEqual([]);
});

test('links of another purpose, of no delivery and of an erased person', async () => {
  const { token, person } = await sent('email');
  expect((await app.request(`/u/${deps.tokens.seal('answer', { a: 1, b: Number(person), extra: 0 })}`)).status).toBe(404);
  expect((await app.request(`/u/${deps.tokens.seal('unsubscribe', packRef({ messageId: '1', recipientId: person, channel: 'sms', wave: 9 }))}`)).status).toBe(
    404,
  );
  await within((tx) => tx.updateTable('recipients').set({ erased_at: new Date(), email: null, phone: null, name: null }).where('id', '=', person).execute());
  expect((await app.request(`/u/${token}`)).status).toBe(410);
});
