import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { claimBatch } from '#db/delivery/claim-batch.ts';
import type { Database } from '#db/database.ts';
import type { ChannelAdapter, Target } from '#domain/delivery/channel.ts';
import { RANK } from '#domain/delivery/delivery.ts';
import type { Outcome } from '#domain/delivery/outcome.ts';
import { unpackRef, type DeliveryRef } from '#domain/delivery/refs.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { DELIVERY_STATES, type DeliveryState, type MessageClass } from '#schemas/delivery.ts';
import { messageInputSchema } from '#schemas/message.ts';
import type { Context } from '#services/context.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { deliverBatch } from '#services/delivery/deliver-batch.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { planWave } from '#services/planning/plan-wave.ts';
import { recordReceipts } from '#services/receipts/record-receipts.ts';
import { Recalls } from '#services/delivery/recalls.ts';
import { SendPlans } from '#services/delivery/send-plan.ts';
import { stopMessage } from '#services/messages/stop-message.ts';
import { sweep } from '#services/upkeep/sweep.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const PEOPLE = 12;
const OUTCOMES: Record<string, Outcome> = {
  accepted: { kind: 'accepted', providerId: 'p', units: 1 },
  retryable: { kind: 'retryable', code: 'ECONNREFUSED' },
  throttled: { kind: 'throttled', code: '20429', retryAfterMs: 60_000 },
  rejected: { kind: 'rejected', code: '21611' },
  unknown: { kind: 'unknown', code: 'DEADLINE' },
};
type Word = keyof typeof OUTCOMES;
const OPEN = new Set<DeliveryState>(['pending', 'attempting', 'unknown']);

interface Call {
  readonly ref: DeliveryRef;
  readonly outcome: Word;
  /** Of this delivery's own row when the carrier heard of it (I2). */
  readonly marked: boolean;
  /** Its worker died before it had written everything that carriers said. */
  died: boolean;
}

let known: Promise<Context> | undefined;

/** One tenant for all stories: each story is a message, and leaves nothing open. */
const tenant = (): Promise<Context> =>
  (known ??= (async () => {
    const { tenantId } = await deps.tenant({ policy: OPEN_POLICY });
    await deps.db.withTenant(tenantId, (tx) =>
      sql`INSERT INTO recipients (tenant_id, name, phone, consent)
        SELECT ${tenantId}, 'P', '+1202' || lpad(n::text, 7, '0'), '{life,ops,bulk}'::message_class[] FROM generate_series(2000001, ${2_000_000 + PEOPLE}::int) n`.execute(
        tx,
      ),
    );
    return deps.as(tenantId);
  })());

/** One message of a few people and everything that may happen to it. */
class Story {
  readonly calls: Call[] = [];
  readonly ctx: Context;
  readonly messageClass: MessageClass;
  readonly messageId: string;
  readonly publicId: string;
  readonly ranks = new Map<string, number>();
  stoppedAt: number | undefined;

  private constructor(ctx: Context, messageClass: MessageClass, publicId: string) {
    this.ctx = ctx;
    this.messageClass = messageClass;
    this.publicId = publicId;
    this.messageId = ctx.ids.decode('msg', publicId) ?? '';
  }

  static async begin(messageClass: MessageClass): Promise<Story> {
    const ctx = await tenant();
    const { id } = await createMessage(
      ctx,
      messageInputSchema.parse({
        class: messageClass,
        text: { en: 'Water off' },
        audience: { all: true },
        channels: ['sms'],
        launch: true,
        expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      }),
    );
    return new Story(ctx, messageClass, id);
  }

  async plan(): Promise<void> {
    for (const { tenantId, waveId } of (await sweep(deps)).waves) await planWave(deps, tenantId, waveId);
  }

  /** A worker works off what is due. `dies`: after that many calls nothing of it is written any more, as after SIGKILL. */
  async work(words: readonly Word[], dies: number | undefined): Promise<void> {
    let made = 0;
    const before = this.calls.length;
    const sms: ChannelAdapter = {
      channel: 'sms',
      concurrency: 100,
      prepare: () => ({
        send: async (target: Target) => {
          const ref = unpackRef(deps.tokens.open('receipt', target.ref) ?? { a: 0, b: 0, extra: 0xffff });
          if (!ref) throw new Error('a call carries a reference');
          const outcome = words[made++ % words.length] ?? 'accepted';
          this.calls.push({ ref, outcome, marked: (await this.states()).get(ref.recipientId)?.state === 'attempting', died: false });
          return { outcome: OUTCOMES[outcome] ?? { kind: 'unknown', code: '?' } };
        },
      }),
      close: () => Promise.resolve(),
    };
    const dead = (): never => {
      throw new Error('this worker is dead');
    };
    const mortal =
      (way: 'withTenant' | 'atOnce'): Database['withTenant'] =>
      (tenantId, work) =>
        dies !== undefined && made > dies ? dead() : deps.db[way](tenantId, work);
    const db = { ...deps.db, withTenant: mortal('withTenant'), atOnce: mortal('atOnce') };
    const worker = { ...deps, db, recalls: new Recalls(), plans: new SendPlans(deps, { sms }), random: () => 0, stopping: () => false };
    for (
      let batch = await claimBatch(deps.db.across, this.messageClass, 'story');
      batch;
      batch = await claimBatch(deps.db.across, this.messageClass, 'story')
    ) {
      try {
        await deliverBatch(worker, batch);
      } catch (error) {
        if (dies === undefined) throw error;
        for (const call of this.calls.slice(before)) call.died = true;
        return;
      }
    }
  }

  /** Time passes: leases, backoff and windows of doubt are over. */
  async pass(): Promise<void> {
    await deps.db.withTenant(this.ctx.tenantId, async (tx) => {
      await sql`UPDATE batches SET lease_until = now() - interval '1 s' WHERE tenant_id = ${this.ctx.tenantId} AND state = 'claimed'`.execute(tx);
      await sql`UPDATE batches SET due_at = now() - interval '1 s' WHERE tenant_id = ${this.ctx.tenantId} AND state = 'planned'`.execute(tx);
      await sql`UPDATE deliveries SET next_at = now() - interval '1 s' WHERE message_id = ${this.messageId} AND next_at IS NOT NULL`.execute(tx);
      await sql`UPDATE senders SET breaker_probe_at = now(), breaker_life_probe_at = now() WHERE tenant_id = ${this.ctx.tenantId}`.execute(tx);
    });
    await this.plan();
  }

  async receipt(n: number, state: 'accepted' | 'delivered' | 'failed'): Promise<void> {
    // Carriers report only what they were given.
    const taken = this.calls.filter((call) => call.outcome === 'accepted' || call.outcome === 'unknown');
    const call = taken[n % Math.max(1, taken.length)];
    if (call) await recordReceipts(deps, this.ctx.tenantId, [{ ref: call.ref, state, providerId: 'p', code: null }]);
  }

  async stop(): Promise<void> {
    await stopMessage(this.ctx, this.publicId);
    this.stoppedAt ??= this.calls.length;
  }

  async states(): Promise<Map<string, { state: DeliveryState; attempts: number }>> {
    const { rows } = await deps.db.withTenant(this.ctx.tenantId, (tx) =>
      sql<{
        id: string;
        state: DeliveryState;
        attempts: number;
      }>`SELECT recipient_id AS id, state, attempts FROM deliveries WHERE message_id = ${this.messageId}`.execute(tx),
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** What must hold after every step. */
  async check(): Promise<void> {
    const rows = await this.states();
    expect(
      this.calls.filter((call) => !call.marked),
      'I2: every call has a committed mark',
    ).toEqual([]);
    const may = new Map<string, Call[]>();
    for (const call of this.calls) may.set(call.ref.recipientId, [...(may.get(call.ref.recipientId) ?? []), call]);
    for (const [id, calls] of may) {
      const perhaps = calls.filter((call) => call.outcome === 'accepted' || call.outcome === 'unknown');
      if (this.messageClass === 'bulk') expect(perhaps.length, `I3: person ${id}`).toBeLessThanOrEqual(1);
      const doubts = perhaps.filter((call) => call.outcome === 'unknown' || call.died).length;
      expect(perhaps.length, `I4: person ${id}`).toBeLessThanOrEqual(1 + doubts);
    }
    if (this.messageClass === 'life' && this.stoppedAt === undefined)
      expect(
        [...rows.values()].filter((row) => row.state === 'unresolved'),
        'I4',
      ).toEqual([]);
    if (this.stoppedAt !== undefined) expect(this.calls.length, 'I5: no call after the stop').toBe(this.stoppedAt);
    for (const [id, { state }] of rows) {
      // A proven refusal may lead back to pending; from accepted on there is no way down.
      const before = this.ranks.get(id) ?? 0;
      if (before >= RANK.accepted) expect(RANK[state], `I7: person ${id} is ${state}`).toBeGreaterThanOrEqual(before);
      this.ranks.set(id, RANK[state]);
    }
    const view = await getMessage(this.ctx, this.publicId);
    const shown = DELIVERY_STATES.reduce((sum, state) => sum + view.deliveries[state], 0);
    const planned = await deps.db.withTenant(this.ctx.tenantId, (tx) =>
      sql<{ n: number }>`SELECT COALESCE(sum(cardinality(ids)), 0)::int AS n FROM batches WHERE message_id = ${this.messageId}`.execute(tx),
    );
    expect(shown, 'I10: the counts sum to what was planned').toBe(planned.rows[0]?.n);
    for (const state of DELIVERY_STATES.filter((one) => one !== 'pending'))
      expect(view.deliveries[state], `I10: ${state}`).toBe([...rows.values()].filter((row) => row.state === state).length);
  }

  /** Everything comes to its end, whatever happened. */
  async finish(): Promise<void> {
    let rows = await this.states();
    for (let i = 0; i < 10 && (rows.size < PEOPLE || [...rows.values()].some((row) => OPEN.has(row.state))); i++) {
      await this.pass();
      await this.work(['accepted'], undefined);
      rows = await this.states();
    }
    await this.check();
    expect(rows.size, 'I1: a row for everybody of the frozen audience').toBe(PEOPLE);
    expect(
      [...rows.values()].filter((row) => ['pending', 'attempting', 'unknown'].includes(row.state)),
      'nothing is left open',
    ).toEqual([]);
  }
}

const word = fc.constantFrom<Word>('accepted', 'accepted', 'accepted', 'retryable', 'throttled', 'rejected', 'unknown');
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('work' as const),
      words: fc.array(word, { minLength: 1, maxLength: 8 }),
      dies: fc.option(fc.nat({ max: PEOPLE }), { nil: undefined }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('receipt' as const),
      n: fc.nat({ max: 40 }),
      state: fc.constantFrom('accepted' as const, 'delivered' as const, 'failed' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stop' as const) }) },
);

describe('the promises of a message, whatever happens to it', () => {
  test.each(['bulk', 'life', 'ops'] as const)('%s', async (messageClass) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async (steps) => {
        const story = await Story.begin(messageClass);
        await story.plan();
        for (const one of steps) {
          if (one.do === 'work') await story.work(one.words, one.dies);
          else if (one.do === 'pass') await story.pass();
          else if (one.do === 'receipt') await story.receipt(one.n, one.state);
          else await story.stop();
          await story.check();
        }
        await story.finish();
      }),
      { numRuns: 15, endOnFailure: true, plugins: [fc.interruptAfterTimeLimit(8_000)] },
    );
  });
});
