import { type RawBuilder, sql } from 'kysely';
import { claimBatch, type ClaimedBatch } from '#db/delivery/claim-batch.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { messageInputSchema } from '#schemas/message.ts';
import type { MessageView } from '#schemas/views.ts';
import type { Context } from '#services/context.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { deliverBatch, type DeliverDeps } from '#services/delivery/deliver-batch.ts';
import { planWave } from '#services/planning/plan-wave.ts';
import { Recalls } from '#services/delivery/recalls.ts';
import { SendPlans } from '#services/delivery/send-plan.ts';
import { sweep } from '#services/upkeep/sweep.ts';
import type { Carriers } from './carriers.ts';
import type { TestDeps } from './deps.ts';

/** One tenant with people and a lane that the test works by hand, so that it decides what happens when. */
export class LaneByHand {
  readonly deps: TestDeps;
  readonly ctx: Context;

  constructor(deps: TestDeps, ctx: Context) {
    this.deps = deps;
    this.ctx = ctx;
  }

  /** The same on a tenant of its own, where everything may be launched unless this policy says otherwise. */
  static async open(deps: TestDeps, policy: Record<string, unknown> = OPEN_POLICY): Promise<LaneByHand> {
    const { tenantId } = await deps.tenant({ policy });
    return new LaneByHand(deps, deps.as(tenantId));
  }

  async people(count: number, has: { phone?: boolean; email?: boolean } = { phone: true, email: true }, from = 0): Promise<void> {
    const { tenantId } = this.ctx;
    await this.deps.db.withTenant(tenantId, (tx) =>
      sql`INSERT INTO recipients (tenant_id, name, phone, email, consent)
        SELECT ${tenantId}, 'Person ' || n, CASE WHEN ${has.phone ?? false} THEN '+1555' || lpad((${tenantId} * 20000 + n)::text, 7, '0') END,
          CASE WHEN ${has.email ?? false} THEN 'p' || n || '@example.test' END, '{life,ops,bulk}'::message_class[]
        FROM generate_series(${from + 1}::int, ${from + count}::int) n`.execute(tx),
    );
  }

  launch(messageClass: MessageClass, extra: Record<string, unknown> = {}): Promise<MessageView> {
    const input = {
      class: messageClass,
      text: { en: 'Water off until 18:00' },
      audience: { all: true },
      channels: ['sms', 'email'],
      launch: true,
      expiresAt: new Date(this.deps.clock.now() + 3_600_000).toISOString(),
    };
    return createMessage(this.ctx, messageInputSchema.parse({ ...input, ...extra }));
  }

  worker(carrier: Carriers): DeliverDeps {
    return { ...this.deps, recalls: new Recalls(), plans: new SendPlans(this.deps, carrier.channels), random: () => 0, stopping: () => false };
  }

  /** Plans what nudges asked for, then sweeps once and plans what is due. */
  async plan(): Promise<void> {
    for (const { name, data } of this.deps.nudges.splice(0)) if (name === 'plan' && 'waveId' in data) await planWave(this.deps, data.tenantId, data.waveId);
    for (const { tenantId, waveId } of (await sweep(this.deps)).waves) await planWave(this.deps, tenantId, waveId);
  }

  /** Claims a batch that is due, of any message of the lane. @throws when there is none */
  async claim(lane: MessageClass, claimedBy = 'test'): Promise<ClaimedBatch> {
    const batch = await claimBatch(this.deps.db.across, lane, claimedBy);
    if (!batch) throw new Error('a batch is due');
    return batch;
  }

  /** Claims and delivers until nothing is due in this lane any more. */
  async drain(worker: DeliverDeps, lane: MessageClass): Promise<void> {
    for (let batch = await claimBatch(this.deps.db.across, lane, 'test'); batch; batch = await claimBatch(this.deps.db.across, lane, 'test'))
      await deliverBatch(worker, batch);
  }

  /** Plans and delivers everything that is due in this lane, as a worker would. */
  async work(carrier: Carriers, lane: MessageClass): Promise<void> {
    await this.plan();
    await this.drain(this.worker(carrier), lane);
  }

  /** Runs one statement as this tenant. @returns its rows */
  run<T>(statement: RawBuilder<T>): Promise<T[]> {
    return this.deps.db.withTenant(this.ctx.tenantId, async (tx) => (await statement.execute(tx)).rows);
  }

  /** Makes everything that waits due now, as time would. */
  async makeDue(): Promise<void> {
    const { tenantId } = this.ctx;
    await this.deps.db.withTenant(tenantId, async (tx) => {
      await sql`UPDATE deliveries SET next_at = now() WHERE tenant_id = ${tenantId} AND next_at IS NOT NULL`.execute(tx);
      await sql`UPDATE batches SET due_at = now() WHERE tenant_id = ${tenantId} AND state = 'planned'`.execute(tx);
      await sql`UPDATE waves SET due_at = now() WHERE tenant_id = ${tenantId} AND state = 'waiting'`.execute(tx);
      await sql`UPDATE senders SET breaker_probe_at = now(), breaker_life_probe_at = now() WHERE tenant_id = ${tenantId} AND breaker_opened_at IS NOT NULL`.execute(
        tx,
      );
    });
  }
}
