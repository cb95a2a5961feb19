import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { claimBatch } from '#db/claim-batch.ts';
import type { ChannelAdapter, SendResult, Target } from '#domain/channel.ts';
import type { Outcome } from '#domain/outcome.ts';
import { unpackRef } from '#domain/refs.ts';
import { messageInputSchema } from '#schemas/message.ts';
import { DELIVERY_STATES, type Channel, type MessageClass } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import type { Context } from './context.ts';
import { correctMessage } from './correct-message.ts';
import { createMessage } from './create-message.ts';
import { deliverBatch, type DeliverDeps } from './deliver-batch.ts';
import { getMessage } from './get-message.ts';
import { planWave } from './plan-wave.ts';
import { recordReceipts } from './record-receipts.ts';
import { SendPlans } from './send-plan.ts';
import { stopMessage } from './stop-message.ts';
import { sweep } from './sweep.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

interface Call {
  channel: Channel;
  address: string;
  ref: string;
}

/** Carriers in this process: every call is written down before it is answered. */
function carriers(answer: (call: Call, n: number) => Outcome | Promise<Outcome> = () => ({ kind: 'accepted', providerId: 'p', units: 1 })) {
  const calls: Call[] = [];
  const adapter = (channel: Channel): ChannelAdapter => ({
    channel,
    concurrency: 100,
    prepare: () => ({
      send: async (target: Target): Promise<SendResult> => {
        const call = { channel, address: target.address, ref: target.ref };
        calls.push(call);
        return { outcome: await answer(call, calls.length) };
      },
    }),
    close: () => Promise.resolve(),
  });
  return { calls, channels: { push: adapter('push'), sms: adapter('sms'), email: adapter('email') } };
}

async function people(ctx: Context, count: number, change: { phone?: boolean; email?: boolean } = { phone: true, email: true }, prefix = ctx.tenantId) {
  await deps.db.withTenant(ctx.tenantId, (tx) =>
    sql`INSERT INTO recipients (tenant_id, name, phone, email, consent)
      SELECT ${ctx.tenantId}, 'Person ' || n, CASE WHEN ${change.phone ?? false} THEN '+1555' || lpad((${prefix} * 20000 + n)::text, 7, '0') END,
        CASE WHEN ${change.email ?? false} THEN 'p' || n || '@example.test' END, '{life,ops,bulk}'::message_class[] FROM generate_series(1, ${count}::int) n`.execute(
      tx,
    ),
  );
}

async function tenant(policy: Record<string, unknown> = { approvalAbove: { life: null, ops: null, bulk: null } }): Promise<Context> {
  const { tenantId } = await deps.tenant({ policy });
  return deps.as(tenantId);
}

const launch = (ctx: Context, klass: MessageClass, extra: Record<string, unknown> = {}) =>
  createMessage(
    ctx,
    messageInputSchema.parse({
      class: klass,
      text: { en: 'Water off until 18:00' },
      audience: { all: true },
      channels: ['sms', 'email'],
      launch: true,
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      ...extra,
    }),
  );

function worker(carrier: ReturnType<typeof carriers>): DeliverDeps {
  return { ...deps, plans: new SendPlans(deps, carrier.channels), random: () => 0, stopping: () => false };
}

/** Plans and delivers everything that is due in this lane, as a worker would. */
async function work(carrier: ReturnType<typeof carriers>, lane: MessageClass): Promise<void> {
  const w = worker(carrier);
  for (const { tenantId, waveId } of (await sweep(deps)).waves) await planWave(deps, tenantId, waveId);
  for (let batch = await claimBatch(deps.db.across, lane, 'test'); batch; batch = await claimBatch(deps.db.across, lane, 'test')) await deliverBatch(w, batch);
}

const total = (view: MessageView) => DELIVERY_STATES.reduce((sum, state) => sum + view.deliveries[state], 0);

/** Makes what waits due now, as time would. */
const makeDue = (ctx: Context) =>
  deps.db.withTenant(ctx.tenantId, async (tx) => {
    await sql`UPDATE deliveries SET next_at = now() WHERE tenant_id = ${ctx.tenantId} AND next_at IS NOT NULL`.execute(tx);
    await sql`UPDATE batches SET due_at = now() WHERE tenant_id = ${ctx.tenantId} AND state = 'planned'`.execute(tx);
  });

describe('a launched message', () => {
  test('calls everybody exactly once and its states sum to the audience', async () => {
    const ctx = await tenant();
    await people(ctx, 2_000);
    const carrier = carriers();
    const message = await launch(ctx, 'ops');
    await work(carrier, 'ops');
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
    const ctx = await tenant();
    await people(ctx, 30);
    await people(ctx, 5, {}, ctx.tenantId + 500);
    const carrier = carriers();
    const message = await launch(ctx, 'life');
    await work(carrier, 'life');
    const view = await getMessage(ctx, message.id);
    expect(carrier.calls.filter((c) => c.channel === 'sms')).toHaveLength(30);
    expect(carrier.calls.filter((c) => c.channel === 'email')).toHaveLength(30);
    expect(view.deliveries).toMatchObject({ accepted: 60, failed: 5 });
  });

  test('refused connections are tried again, throttling uses up no attempt, rejections are final', async () => {
    const ctx = await tenant();
    await people(ctx, 9, { phone: true });
    const carrier = carriers((_call, n) => {
      if (n <= 3) return { kind: 'retryable', code: 'ECONNREFUSED' };
      if (n <= 6) return { kind: 'throttled', code: '20429', retryAfterMs: 1_000 };
      return n === 7 ? { kind: 'rejected', code: '21614', addressInvalid: true } : { kind: 'accepted', providerId: `p${n}`, units: 1 };
    });
    const message = await launch(ctx, 'ops');
    await work(carrier, 'ops');
    expect((await getMessage(ctx, message.id)).deliveries).toMatchObject({ pending: 6, failed: 1, accepted: 2 });
    await makeDue(ctx);
    await work(carrier, 'ops');
    const view = await getMessage(ctx, message.id);
    expect(view.deliveries).toMatchObject({ pending: 0, failed: 1, accepted: 8 });
    expect(view.state).toBe('completed');
    expect(carrier.calls).toHaveLength(15);
  });

  test.each([
    ['bulk', 1, { unresolved: 4 }],
    ['ops', 2, { unresolved: 4 }],
    ['life', 6, { failed: 4 }],
  ] as const)('%s in doubt is called %i times at most', async (klass, calls, end) => {
    const ctx = await tenant();
    await people(ctx, 4, { phone: true });
    const carrier = carriers(() => ({ kind: 'unknown', code: 'silence' }));
    const message = await launch(ctx, klass, { channels: ['sms'] });
    for (let i = 0; i < 8; i++) {
      await work(carrier, klass);
      await makeDue(ctx);
    }
    expect(carrier.calls).toHaveLength(4 * calls);
    expect((await getMessage(ctx, message.id)).deliveries).toMatchObject(end);
  });
});

describe('receipts', () => {
  test('only raise the rank, in any order, repeated, and before the settle', async () => {
    const ctx = await tenant();
    await people(ctx, 6, { phone: true });
    const carrier = carriers(async (call, n) => {
      if (n === 1) await recordReceipts(deps, ctx.tenantId, [{ ref: refOf(call), state: 'delivered', providerId: 'early', code: null }]);
      return { kind: 'accepted', providerId: `p${n}`, units: 1 };
    });
    const message = await launch(ctx, 'ops', { channels: ['sms'] });
    await work(carrier, 'ops');
    expect((await getMessage(ctx, message.id)).deliveries).toMatchObject({ delivered: 1, accepted: 5 });
    const [a, b] = carrier.calls.slice(1);
    if (!a || !b) throw new Error('calls expected');
    const receipt = (call: Call, state: 'accepted' | 'delivered' | 'failed') => ({ ref: refOf(call), state, providerId: null, code: null });
    await recordReceipts(deps, ctx.tenantId, [receipt(a, 'failed'), receipt(b, 'delivered'), receipt(a, 'delivered')]);
    await recordReceipts(deps, ctx.tenantId, [receipt(a, 'failed'), receipt(b, 'accepted'), receipt(b, 'failed')]);
    const view = await getMessage(ctx, message.id);
    expect(view.deliveries).toMatchObject({ delivered: 3, accepted: 3, failed: 0 });
    expect(total(view)).toBe(6);
  });

  const refOf = (call: Call) => {
    const ref = unpackRef(deps.tokens.open('receipt', call.ref) ?? { a: 0, b: 0, extra: 0xffff });
    if (!ref) throw new Error('a call carries a reference');
    return ref;
  };
});

describe('faults', () => {
  test('a lease that passed puts the marked in doubt, the rest goes on, and the stale settle changes nothing', async () => {
    const ctx = await tenant();
    await people(ctx, 200, { phone: true });
    const message = await launch(ctx, 'bulk', { channels: ['sms'] });
    let freeze: (() => void) | undefined;
    const frozen = new Promise<void>((done) => (freeze = done));
    const slow = carriers(async (_call, n) => {
      if (n === 1) await frozen;
      return { kind: 'accepted', providerId: `p${n}`, units: 1 };
    });
    for (const { tenantId, waveId } of (await sweep(deps)).waves) await planWave(deps, tenantId, waveId);
    const batch = await claimBatch(deps.db.across, 'bulk', 'frozen');
    if (!batch) throw new Error('a batch is due');
    const running = deliverBatch(worker(slow), batch);
    await expect.poll(() => slow.calls.length).toBeGreaterThan(0);
    await expire(ctx, batch.id);
    expect((await sweep(deps)).inDoubt).toBeGreaterThan(0);
    const second = carriers();
    await work(second, 'bulk');
    freeze?.();
    await running;
    const addresses = [...slow.calls, ...second.calls].map((c) => c.address);
    expect(new Set(addresses).size).toBe(addresses.length);
    await makeDue(ctx);
    await work(second, 'bulk');
    const view = await getMessage(ctx, message.id);
    expect(total(view)).toBe(200);
    expect(view.deliveries.pending + view.deliveries.attempting + view.deliveries.unknown).toBe(0);
    expect(addresses).toHaveLength(200);
  });

  test('after a stop nobody is marked, what waited is cancelled, and a correction goes to exactly those who may have had it', async () => {
    const ctx = await tenant();
    await people(ctx, 600, { phone: true });
    const message = await launch(ctx, 'ops', { channels: ['sms'] });
    const carrier = carriers();
    for (const { tenantId, waveId } of (await sweep(deps)).waves) await planWave(deps, tenantId, waveId);
    const batch = await claimBatch(deps.db.across, 'ops', 'test');
    if (!batch) throw new Error('a batch is due');
    await deliverBatch(worker(carrier), batch);
    const stopped = await stopMessage(ctx, message.id);
    expect(stopped).toMatchObject({ inFlight: 0, cancelled: 350 });
    await work(carrier, 'ops');
    await sweep(deps);
    expect(carrier.calls).toHaveLength(250);
    const view = await getMessage(ctx, message.id);
    expect(view.deliveries).toMatchObject({ accepted: 250, cancelled: 350 });
    const second = carriers();
    const correction = await correctMessage(ctx, message.id, { kind: 'correction', text: { en: 'Water is back' } });
    await work(second, 'ops');
    expect(new Set(second.calls.map((c) => c.address))).toEqual(new Set(carrier.calls.map((c) => c.address)));
    expect(second.calls).toHaveLength(250);
    expect((await getMessage(ctx, correction.id)).deliveries.accepted).toBe(250);
  });

  const expire = (ctx: Context, batchId: string) =>
    deps.db.withTenant(ctx.tenantId, (tx) =>
      sql`UPDATE batches SET lease_until = now() - interval '1 second' WHERE tenant_id = ${ctx.tenantId} AND id = ${batchId}`.execute(tx),
    );
});

describe('what is refused', () => {
  test('an empty audience, an expired message, a changed audience, an unapproved crowd, a second launch', async () => {
    const ctx = await tenant({});
    await expect(launch(ctx, 'ops')).rejects.toMatchObject({ status: 422, code: 'empty_audience' });
    await people(ctx, 101, { phone: true });
    await expect(launch(ctx, 'ops', { expiresAt: new Date(Date.now() - 1000).toISOString() })).rejects.toMatchObject({
      code: 'invalid_message',
      errors: [{ field: 'expiresAt', code: 'expired' }],
    });
    await expect(launch(ctx, 'life', { expiresAt: undefined })).rejects.toMatchObject({ errors: [{ field: 'expiresAt', code: 'expiry_required' }] });
    await expect(launch(ctx, 'ops', { audienceHash: '1' })).rejects.toMatchObject({ status: 409, code: 'audience_changed' });
    await expect(launch(ctx, 'life')).rejects.toMatchObject({ status: 409, code: 'approval_required' });
    await launch(ctx, 'ops');
    const { rows } = await deps.db.withTenant(ctx.tenantId, (tx) => sql<{ n: string }>`SELECT count(*) AS n FROM messages WHERE state <> 'draft'`.execute(tx));
    expect(rows[0]?.n).toBe('1');
  });
});
