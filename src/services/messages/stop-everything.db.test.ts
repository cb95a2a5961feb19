import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createApp } from '#http/app.ts';
import { carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { requestsOf } from '#testing/people-who-act.ts';
import { createApiKey } from '#services/access/api-keys.ts';
import { correctMessage } from './correct-message.ts';
import { deliverBatch } from '#services/delivery/deliver-batch.ts';
import { getMessage } from './get-message.ts';
import { stopEverything, type StopEverything } from './stop-everything.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

/** A message of which one call is on the way when `work` is done; the others are not marked yet. */
async function whileCalling<T>(bench: LaneByHand, work: () => Promise<T>): Promise<T> {
  await bench.people(4, { phone: true });
  await bench.launch('ops', { channels: ['sms'] });
  let answer: (() => void) | undefined;
  const held = new Promise<void>((done) => (answer = done));
  const slow = carriers(async () => {
    await held;
    return { kind: 'accepted', providerId: 'p', units: 1 };
  });
  await bench.plan();
  const batch = await bench.claim('ops');
  const running = deliverBatch(bench.worker(slow), batch);
  await expect.poll(() => slow.calls.length).toBe(4);
  try {
    return await work();
  } finally {
    answer?.();
    await running;
  }
}

test('what is in flight is told for what was stopped: the channel, the organisation, or everybody', async () => {
  const [one, other] = [await LaneByHand.open(deps), await LaneByHand.open(deps)];
  const of = (bench: LaneByHand, input: StopEverything) => stopEverything(bench.ctx, input);
  await whileCalling(one, async () => {
    await whileCalling(other, async () => {
      expect(await of(one, { scope: 'channel', channel: 'email' })).toEqual({ inFlight: 0 });
      expect(await of(one, { scope: 'channel', channel: 'sms' })).toEqual({ inFlight: 4 });
      expect(await of(one, { scope: 'tenant' })).toEqual({ inFlight: 4 });
      expect(await of(one, { scope: 'installation' })).toEqual({ inFlight: 8 });
    });
  });
  for (const input of [
    { scope: 'installation' },
    { scope: 'tenant' },
    { scope: 'channel', channel: 'sms' },
    { scope: 'channel', channel: 'email' },
  ] as const)
    expect(await of(one, { ...input, release: true })).toEqual({ inFlight: 0 });
});

test.each([{ scope: 'installation' }, { scope: 'tenant' }, { scope: 'channel', channel: 'sms' }] as const)(
  'nobody is called while %j holds, and everybody after its release',
  async (input) => {
    const bench = await LaneByHand.open(deps);
    await bench.people(3, { phone: true });
    const message = await bench.launch('ops', { channels: ['sms'] });
    await stopEverything(bench.ctx, input);
    const carrier = carriers();
    await bench.work(carrier, 'ops');
    expect(carrier.calls).toEqual([]);
    await stopEverything(bench.ctx, { ...input, release: true });
    await bench.makeDue();
    await bench.work(carrier, 'ops');
    expect(carrier.calls).toHaveLength(3);
    expect((await getMessage(bench.ctx, message.id)).deliveries.accepted).toBe(3);
  },
);

describe('the whole installation is its operators’ alone', () => {
  const stop = (apiKey: string, body: object) => requestsOf(createApp(deps), apiKey)('POST', '/stop', body);

  test('an administrator can neither stop nor release it, and stops the own organisation', async () => {
    const { apiKey } = await deps.tenant();
    for (const body of [{ scope: 'installation' }, { scope: 'installation', release: true }]) {
      const refused = await stop(apiKey, body);
      expect([refused.status, await refused.json()]).toMatchObject([403, { code: 'not_an_operator', scope: 'operator' }]);
    }
    expect((await deps.db.across.selectFrom('installation').select('stopped_at').executeTakeFirstOrThrow()).stopped_at).toBeNull();
    expect((await stop(apiKey, { scope: 'tenant' })).status).toBe(200);
  });

  test('an operator’s key does both, also one that may do nothing else', async () => {
    const { apiKey, tenantId } = await deps.tenant({ operator: true });
    await deps.db.withTenant(tenantId, (tx) =>
      tx
        .updateTable('api_keys')
        .set({ scopes: ['operator'] })
        .where('tenant_id', '=', tenantId)
        .execute(),
    );
    expect((await stop(apiKey, { scope: 'installation' })).status).toBe(200);
    expect((await stop(apiKey, { scope: 'installation', release: true })).status).toBe(200);
    expect((await stop(apiKey, { scope: 'tenant' })).status).toBe(403);
  });

  test('a key’s scope operator ends with its person’s, and comes back with it', async () => {
    const { apiKey, tenantId } = await deps.tenant({ operator: true });
    const person = (change: { operator?: boolean; disabled_at?: Date | null }) =>
      deps.db.withTenant(tenantId, (tx) => tx.updateTable('users').set(change).where('tenant_id', '=', tenantId).execute());
    // A new app each time: one remembers a key for some seconds.
    const answer = async () => (await stop(apiKey, { scope: 'installation', release: true })).status;
    expect(await answer()).toBe(200);
    await person({ operator: false });
    expect(await answer()).toBe(403);
    expect((await stop(apiKey, { scope: 'tenant', release: true })).status).toBe(200);
    await person({ operator: true, disabled_at: new Date() });
    expect(await answer()).toBe(401);
    await person({ disabled_at: null });
    expect(await answer()).toBe(200);
    await deps.db.withTenant(tenantId, (tx) =>
      tx.updateTable('api_keys').set({ user_id: null }).where('tenant_id', '=', tenantId).execute(),
    );
    expect(await answer()).toBe(403);
  });

  test('an administrator makes no key that may do more than its maker', async () => {
    const { tenantId, userId } = await deps.tenant();
    const admin = { label: `user:${userId}`, userId, scopes: new Set(['read', 'write', 'admin'] as const), mode: 'live' as const };
    const input = { name: 'More', mode: 'live', scopes: ['read', 'operator'] } as const;
    await expect(createApiKey(deps.as(tenantId, admin), input)).rejects.toMatchObject({ status: 403, code: 'scope_missing' });
    const operator = { ...admin, scopes: new Set(['read', 'write', 'admin', 'operator'] as const) };
    expect((await createApiKey(deps.as(tenantId, operator), input)).key).toMatch(/^mu_/);
  });
});

test('minutes from launch to correction are shown on both, and an all clear is no correction', async () => {
  const bench = await LaneByHand.open(deps);
  await bench.people(2, { phone: true });
  const message = await bench.launch('ops', { channels: ['sms'] });
  await bench.work(carriers(), 'ops');
  expect(message.minutesToCorrection).toBeNull();
  await deps.db.withTenant(bench.ctx.tenantId, (tx) => sql`UPDATE messages SET launched_at = now() - interval '38 minutes'`.execute(tx));
  const clear = await correctMessage(bench.ctx, message.id, { kind: 'all_clear', text: { en: 'Over' } });
  expect(clear.minutesToCorrection).toBeCloseTo(38, 0);
  expect((await getMessage(bench.ctx, message.id)).minutesToCorrection).toBeNull();
  const correction = await correctMessage(bench.ctx, message.id, { kind: 'correction', text: { en: 'No' } });
  expect(correction.minutesToCorrection).toBeCloseTo(38, 0);
  expect((await getMessage(bench.ctx, message.id)).minutesToCorrection).toBeCloseTo(38, 0);
});
