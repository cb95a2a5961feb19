import { sql } from 'kysely';
import { claimBatch } from '#db/delivery/claim-batch.ts';
import type { ChannelAdapter, SenderIdentity, SendResult, Target } from '#domain/delivery/channel.ts';
import type { Outcome } from '#domain/delivery/outcome.ts';
import type { Recall } from '#domain/delivery/recall.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { byChannel, type Channel } from '#schemas/channel-facts.ts';
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
import type { TestDeps } from './deps.ts';

export interface CarrierCall {
  channel: Channel;
  address: string;
  ref: string;
  /** Provider account of the sender. */
  account: number;
}

export interface Carriers {
  readonly calls: CarrierCall[];
  readonly channels: Record<Channel, ChannelAdapter>;
}

/** Carriers in this process: every call is written down before it is answered. */
export function carriers(
  answer: (call: CarrierCall, n: number) => Outcome | Promise<Outcome> = () => ({ kind: 'accepted', providerId: 'p', units: 1 }),
): Carriers {
  const calls: CarrierCall[] = [];
  const adapter = (channel: Channel): ChannelAdapter => ({
    channel,
    concurrency: 100,
    prepare: (_content, sender: SenderIdentity) => ({
      send: async (target: Target, recall?: Recall): Promise<SendResult> => {
        if (recall?.recalled) return { outcome: { kind: 'not_called', code: 'not_called' } };
        const call = { channel, address: target.address, ref: target.ref, account: sender.account ?? 1 };
        calls.push(call);
        return { outcome: await answer(call, calls.length) };
      },
    }),
    close: () => Promise.resolve(),
  });
  return { calls, channels: byChannel(adapter) };
}

/** One tenant with people and a lane worked by hand, so that a test decides what happens when. */
export class Bench {
  readonly deps: TestDeps;
  readonly ctx: Context;

  constructor(deps: TestDeps, ctx: Context) {
    this.deps = deps;
    this.ctx = ctx;
  }

  static async open(deps: TestDeps, policy: Record<string, unknown> = OPEN_POLICY): Promise<Bench> {
    const { tenantId } = await deps.tenant({ policy });
    return new Bench(deps, deps.as(tenantId));
  }

  /** The same, on a tenant that is there already. */
  static at(deps: TestDeps, ctx: Context): Bench {
    return new Bench(deps, ctx);
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

  /** Does what planners were woken for, then sweeps once and plans what is due. */
  async plan(): Promise<void> {
    for (const { name, data } of this.deps.nudges.splice(0)) if (name === 'plan' && 'waveId' in data) await planWave(this.deps, data.tenantId, data.waveId);
    for (const { tenantId, waveId } of (await sweep(this.deps)).waves) await planWave(this.deps, tenantId, waveId);
  }

  /** Plans and delivers everything that is due in this lane, as a worker would. */
  async work(carrier: Carriers, lane: MessageClass): Promise<void> {
    await this.plan();
    const worker = this.worker(carrier);
    for (let batch = await claimBatch(this.deps.db.across, lane, 'test'); batch; batch = await claimBatch(this.deps.db.across, lane, 'test'))
      await deliverBatch(worker, batch);
  }

  /** Makes what waits due now, as time would. */
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
