import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ClaimedBatch, claimBatch } from '#db/delivery/claim-batch.ts';
import { markSlice } from '#db/delivery/mark-slice.ts';
import { type SettledPerson, settleLate, settleSlice } from '#db/delivery/settle-slice.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import type { DeliveryState } from '#schemas/delivery.ts';
import { messageInputSchema } from '#schemas/message.ts';
import type { Context } from '#services/context.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { planWave } from '#services/planning/plan-wave.ts';
import { recordReceipts } from '#services/receipts/record-receipts.ts';
import { sweep } from '#services/upkeep/sweep.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

const PEOPLE = 250;
let deps: TestDeps;
let ctx: Context;
beforeAll(async () => {
  deps = await createTestDeps();
  const { tenantId } = await deps.tenant({ policy: OPEN_POLICY });
  ctx = deps.as(tenantId);
  await deps.db.withTenant(tenantId, (tx) =>
    sql`INSERT INTO recipients (tenant_id, name, phone, consent)
      SELECT ${tenantId}, 'P', '+1202' || lpad(n::text, 7, '0'), '{bulk}'::message_class[] FROM generate_series(2000001, ${2_000_000 + PEOPLE}::int) n`.execute(
      tx,
    ),
  );
});
afterAll(() => deps.close());

/** What is heard of one call: from the carrier's callbacks, and from our own settle, which may come at any time. */
type Event = 'accepted' | 'delivered' | 'failed' | 'settle-accepted' | 'settle-unknown';

/** Marked people whose fates are written by the test alone. */
async function marked(): Promise<ClaimedBatch> {
  await createMessage(ctx, messageInputSchema.parse({ class: 'bulk', text: { en: 'Doors open' }, audience: { all: true }, channels: ['sms'], launch: true }));
  for (const { tenantId, waveId } of (await sweep(deps)).waves) await planWave(deps, tenantId, waveId);
  let batch = await claimBatch(deps.db.across, 'bulk', 'receipts');
  // On a busy machine the lease of an earlier batch may have passed; everybody of it is marked.
  while (batch && batch.marked > 0) batch = await claimBatch(deps.db.across, 'bulk', 'receipts');
  if (!batch || batch.ids.length !== PEOPLE) throw new Error('one batch with everybody is due');
  const people = await markSlice(deps.db, batch, { ids: batch.ids, markedTo: batch.ids.length });
  expect(people).toHaveLength(PEOPLE);
  return batch;
}

async function play(batch: ClaimedBatch, histories: readonly (readonly Event[])[]): Promise<DeliveryState[]> {
  const longest = Math.max(...histories.map((history) => history.length));
  for (let i = 0; i < longest; i++) {
    const now = histories.flatMap((history, n) => (history[i] === undefined ? [] : [{ id: batch.ids[n] ?? '', event: history[i] }]));
    const receipts = now.flatMap(({ id, event }) =>
      event === 'accepted' || event === 'delivered' || event === 'failed'
        ? [{ ref: { messageId: batch.messageId, recipientId: id, channel: batch.channel, wave: batch.wave }, state: event, providerId: `SM${id}`, code: null }]
        : [],
    );
    await recordReceipts(deps, ctx.tenantId, receipts);
    const settles = now.flatMap(({ id, event }): SettledPerson[] =>
      event === 'settle-accepted'
        ? [{ id, state: 'accepted', code: null, providerId: `SM${id}`, units: 1, delayMs: null, uncounted: false }]
        : event === 'settle-unknown'
          ? [{ id, state: 'unknown', code: 'DEADLINE', providerId: null, units: 0, delayMs: 60_000, uncounted: false }]
          : [],
    );
    if (settles.length > 0) {
      await deps.db.atOnce(ctx.tenantId, (tx) => settleSlice(tx, batch, settles));
      await deps.db.atOnce(ctx.tenantId, (tx) => settleLate(tx, batch, settles));
    }
  }
  const { rows } = await deps.db.withTenant(ctx.tenantId, (tx) =>
    sql<{ id: string; state: DeliveryState }>`SELECT recipient_id AS id, state FROM deliveries WHERE message_id = ${batch.messageId}`.execute(tx),
  );
  const states = new Map(rows.map((row) => [row.id, row.state]));
  const { rows: shown } = await deps.db.withTenant(ctx.tenantId, (tx) =>
    sql<{
      n: number;
    }>`SELECT (sum(accepted) + sum(unknown) + sum(delivered) + sum(failed) + sum(attempting))::int AS n FROM delivery_counts WHERE message_id = ${batch.messageId}`.execute(
      tx,
    ),
  );
  expect(shown[0]?.n).toBe(PEOPLE);
  return histories.map((_, n) => states.get(batch.ids[n] ?? '') ?? 'pending');
}

const heard = fc.record({
  settle: fc.constantFrom<Event>('settle-accepted', 'settle-unknown'),
  receipts: fc.array(fc.constantFrom<Event>('accepted', 'delivered', 'failed'), { minLength: 1, maxLength: 5 }),
});
/** The same events in two orders. */
const pair = heard.chain(({ settle, receipts }) => {
  const events = [settle, ...receipts];
  const order = fc.shuffledSubarray(events, { minLength: events.length, maxLength: events.length });
  return fc.tuple(order, order);
});

test('receipts in any order, repeated, before or after the settle: 10,000 generated histories end alike', async () => {
  let histories = 0;
  const seen = new Set<DeliveryState>();
  await fc.assert(
    fc.asyncProperty(fc.array(pair, { minLength: PEOPLE, maxLength: PEOPLE }), async (pairs) => {
      const one = await play(
        await marked(),
        pairs.map(([first]) => first),
      );
      const other = await play(
        await marked(),
        pairs.map(([, second]) => second),
      );
      expect(other).toEqual(one);
      for (const [n, [events]] of pairs.entries()) {
        const want = events.includes('delivered') ? 'delivered' : events.includes('failed') ? 'failed' : 'accepted';
        expect(one[n], events.join(', ')).toBe(want);
      }
      for (const state of one) seen.add(state);
      histories += 2 * PEOPLE;
    }),
    { numRuns: 20, endOnFailure: true },
  );
  expect(histories).toBe(10_000);
  expect([...seen].toSorted()).toEqual(['accepted', 'delivered', 'failed']);
});
