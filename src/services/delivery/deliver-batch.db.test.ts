import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unpackRef } from '#domain/delivery/refs.ts';
import { DELIVERY_STATES } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { type CarrierCall, carriers } from '#testing/carriers.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { LaneByHand } from '#testing/lane-by-hand.ts';
import { correctMessage } from '#services/messages/correct-message.ts';
import { deliverBatch } from './deliver-batch.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { recordReceipts } from '#services/receipts/record-receipts.ts';
import { stopMessage } from '#services/messages/stop-message.ts';
import { sweep } from '#services/upkeep/sweep.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const total = (view: MessageView) => DELIVERY_STATES.reduce((sum, state) => sum + view.deliveries[state], 0);

describe('a launched message', () => {
  test('calls everybody exactly once and its states sum to the audience', async () => {
    const bench = await LaneByHand.open(deps);
    const { ctx } = bench;
    await bench.people(2_000);
    const carrier = carriers();
    const message = await bench.launch('ops');
    await bench.work(carrier, 'ops');
    const view = await getMessage(ctx, message.id);
    expect(view.audience.count).toBe(2_000);
    expect(carrier.calls).toHaveLength(2_000);
    expect(new Set(carrier.calls.map((c) => c.address)).size).toBe(2_000);
    expect(view.deliveries).toMatchObject({ accepted: 2_000, pending: 0, attempting: 0 });
    expect(total(view)).toBe(2_000);
    expect(view.state).toBe('completed');
    expect(view.times.firstCallAt).not.toBeNull();
  });

  test('life goes by every channel in parallel; who has no address is failed and listed', async () => {
    const bench = await LaneByHand.open(deps);
    const { ctx } = bench;
    await bench.people(30);
    await bench.people(5, {}, 500);
    const carrier = carriers();
    const message = await bench.launch('life');
    await bench.work(carrier, 'life');
    const view = await getMessage(ctx, message.id);
    expect(carrier.calls.filter((c) => c.channel === 'sms')).toHaveLength(30);
    expect(carrier.calls.filter((c) => c.channel === 'email')).toHaveLength(30);
    expect(view.deliveries).toMatchObject({ accepted: 60, failed: 5 });
  });

  test('refused connections are tried again, throttling uses up no attempt, rejections are final', async () => {
    const bench = await LaneByHand.open(deps);
    const { ctx } = bench;
    await bench.people(9, { phone: true });
    const carrier = carriers((_call, n) => {
      if (n <= 3) return { kind: 'retryable', code: 'ECONNREFUSED' };
      if (n <= 6) return { kind: 'throttled', code: '20429', retryAfterMs: 1_000 };
      return n === 7 ? { kind: 'rejected', code: '21614', addressInvalid: true } : { kind: 'accepted', providerId: `p${n}`, units: 1 };
    });
    const message = await bench.launch('ops');
    await bench.work(carrier, 'ops');
    expect((await getMessage(ctx, message.id)).deliveries).toMatchObject({ pending: 6, failed: 1, accepted: 2 });
    await bench.makeDue();
    await bench.work(carrier, 'ops');
    await bench.plan();
    const view = await getMessage(ctx, message.id);
    expect(view.deliveries).toMatchObject({ pending: 0, failed: 1, accepted: 8 });
    expect(view.state).toBe('completed');
    expect(carrier.calls).toHaveLength(15);
  });

  test.each([
    ['bulk', 1, { unresolved: 4 }],
    ['ops', 2, { unresolved: 4 }],
    ['life', 6, { failed: 4 }],
  ] as const)('%s in doubt is called %i times at most', async (messageClass, calls, end) => {
    const bench = await LaneByHand.open(deps);
    const { ctx } = bench;
    await bench.people(4, { phone: true });
    const carrier = carriers(() => ({ kind: 'unknown', code: 'silence' }));
    const message = await bench.launch(messageClass, { channels: ['sms'] });
    // After ten failures in a row only probes of three people go through.
    for (let i = 0; i < 12; i++) {
      await bench.work(carrier, messageClass);
      await bench.makeDue();
    }
    expect(carrier.calls).toHaveLength(4 * calls);
    expect((await getMessage(ctx, message.id)).deliveries).toMatchObject(end);
  });
});

describe('receipts', () => {
  test('only raise the rank, in any order, repeated, and before the settle', async () => {
    const bench = await LaneByHand.open(deps);
    const { ctx } = bench;
    await bench.people(6, { phone: true });
    const carrier = carriers(async (call, n) => {
      if (n === 1) await recordReceipts(deps, ctx.tenantId, [{ ref: refOf(call), state: 'delivered', providerId: 'early', code: null }]);
      return { kind: 'accepted', providerId: `p${n}`, units: 1 };
    });
    const message = await bench.launch('ops', { channels: ['sms'] });
    await bench.work(carrier, 'ops');
    expect((await getMessage(ctx, message.id)).deliveries).toMatchObject({ delivered: 1, accepted: 5 });
    const [a, b] = carrier.calls.slice(1);
    if (!a || !b) throw new Error('calls expected');
    const receipt = (call: CarrierCall, state: 'accepted' | 'delivered' | 'failed') => ({
      ref: refOf(call),
      state,
      providerId: null,
      code: null,
    });
    await recordReceipts(deps, ctx.tenantId, [receipt(a, 'failed'), receipt(b, 'delivered'), receipt(a, 'delivered')]);
    await recordReceipts(deps, ctx.tenantId, [receipt(a, 'failed'), receipt(b, 'accepted'), receipt(b, 'failed')]);
    const view = await getMessage(ctx, message.id);
    expect(view.deliveries).toMatchObject({ delivered: 3, accepted: 3, failed: 0 });
    expect(total(view)).toBe(6);
  });

  const refOf = (call: CarrierCall) => {
    const ref = unpackRef(deps.tokens.open('receipt', call.ref) ?? { a: 0, b: 0, extra: 0xffff });
    if (!ref) throw new Error('a call carries a reference');
    return ref;
  };
});

describe('faults', () => {
  test('a lease that passed puts the marked in doubt, the rest goes on, and the stale settle changes nothing', async () => {
    const bench = await LaneByHand.open(deps);
    const { ctx } = bench;
    await bench.people(200, { phone: true });
    const message = await bench.launch('bulk', { channels: ['sms'] });
    let freeze: (() => void) | undefined;
    const frozen = new Promise<void>((done) => (freeze = done));
    const slow = carriers(async (_call, n) => {
      if (n === 1) await frozen;
      return { kind: 'accepted', providerId: `p${n}`, units: 1 };
    });
    await bench.plan();
    const batch = await bench.claim('bulk', 'frozen');
    const running = deliverBatch(bench.worker(slow), batch);
    await expect.poll(() => slow.calls.length).toBeGreaterThan(0);
    await expire(ctx.tenantId, batch.id);
    expect((await sweep(deps)).inDoubt).toBeGreaterThan(0);
    const second = carriers();
    await bench.work(second, 'bulk');
    freeze?.();
    await running;
    const addresses = [...slow.calls, ...second.calls].map((c) => c.address);
    expect(new Set(addresses).size).toBe(addresses.length);
    await bench.makeDue();
    await bench.work(second, 'bulk');
    const view = await getMessage(ctx, message.id);
    expect(total(view)).toBe(200);
    expect(view.deliveries.pending + view.deliveries.attempting + view.deliveries.unknown).toBe(0);
    expect(addresses).toHaveLength(200);
  });

  test('after a stop nobody is marked, what waited is cancelled, and a correction goes to exactly those who may have had it', async () => {
    const bench = await LaneByHand.open(deps);
    const { ctx } = bench;
    await bench.people(750, { phone: true });
    const message = await bench.launch('ops', { channels: ['sms'] });
    const carrier = carriers();
    await bench.plan();
    const batch = await bench.claim('ops');
    await deliverBatch(bench.worker(carrier), batch);
    const stopped = await stopMessage(ctx, message.id);
    expect(stopped).toMatchObject({ inFlight: 0, cancelled: 250 });
    await bench.work(carrier, 'ops');
    await sweep(deps);
    expect(carrier.calls).toHaveLength(500);
    const view = await getMessage(ctx, message.id);
    expect(view.deliveries).toMatchObject({ accepted: 500, cancelled: 250 });
    const second = carriers();
    const correction = await correctMessage(ctx, message.id, { kind: 'correction', text: { en: 'Water is back' } });
    await bench.work(second, 'ops');
    expect(new Set(second.calls.map((c) => c.address))).toEqual(new Set(carrier.calls.map((c) => c.address)));
    expect(second.calls).toHaveLength(500);
    expect((await getMessage(ctx, correction.id)).deliveries.accepted).toBe(500);
  });

  const expire = (tenantId: number, batchId: string) =>
    deps.db.withTenant(tenantId, (tx) =>
      sql`UPDATE batches SET lease_until = now() - interval '1 second' WHERE tenant_id = ${tenantId} AND id = ${batchId}`.execute(tx),
    );
});

describe('what is refused', () => {
  test('an empty audience, an expired message, a changed audience, an unapproved crowd, a second launch', async () => {
    const bench = await LaneByHand.open(deps, {});
    const { ctx } = bench;
    await expect(bench.launch('ops')).rejects.toMatchObject({ status: 422, code: 'empty_audience' });
    await bench.people(101, { phone: true });
    await expect(bench.launch('ops', { expiresAt: new Date(Date.now() - 1000).toISOString() })).rejects.toMatchObject({
      code: 'invalid_message',
      errors: [{ field: 'expiresAt', code: 'expired' }],
    });
    await expect(bench.launch('life', { expiresAt: undefined })).rejects.toMatchObject({
      errors: [{ field: 'expiresAt', code: 'expiry_required' }],
    });
    await expect(bench.launch('ops', { audienceHash: '1' })).rejects.toMatchObject({ status: 409, code: 'audience_changed' });
    await expect(bench.launch('life')).rejects.toMatchObject({ status: 409, code: 'approval_required' });
    await bench.launch('ops');
    const { rows } = await deps.db.withTenant(ctx.tenantId, (tx) =>
      sql<{ n: string }>`SELECT count(*) AS n FROM messages WHERE state <> 'draft'`.execute(tx),
    );
    expect(rows[0]?.n).toBe('1');
  });
});
