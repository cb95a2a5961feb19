import { sql } from 'kysely';
import { expireLease } from '#db/delivery/claim-batch.ts';
import { DOUBT_WINDOW_MS } from '#domain/delivery/delivery.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { closeMessage } from '#services/delivery/close-message.ts';
import { type Deps, notifyProgress } from '#services/context.ts';
import { notifyStop } from '#services/delivery/recalls.ts';
import { startScheduled } from '#services/messages/start-scheduled.ts';

interface DueWork {
  kind: 'lease' | 'wave' | 'start' | 'expire' | 'close' | 'nudge';
  tenant_id: number;
  id: string;
  lane: MessageClass;
}

export interface SweepResult {
  /** Lanes with batches that are due; the caller wakes its own slots for them. */
  lanes: Set<MessageClass>;
  waves: { tenantId: number; waveId: string }[];
  inDoubt: number;
}

/** What one round has collected so far. */
interface Round extends SweepResult {
  /** Tenants with a message whose start has come. Each starts all its messages at once, after the round's other work. */
  starting: Set<number>;
}

type Handler = (deps: Deps, work: DueWork, round: Round) => void | Promise<void>;

/** What is done about each kind of work. A kind without a handler is a type error, and a test compares the kinds with due_work(). */
export const HANDLERS = {
  nudge: (_deps, work, round) => void round.lanes.add(work.lane),
  wave: (_deps, work, round) => void round.waves.push({ tenantId: work.tenant_id, waveId: work.id }),
  start: (_deps, work, round) => void round.starting.add(work.tenant_id),
  close: (deps, work) => closeMessage(deps, work.tenant_id, work.id),
  expire: (deps, work) => expireMessage(deps, work.tenant_id, work.id),
  lease: async (deps, work, round) => {
    round.inDoubt += await endLease(deps, work);
  },
} satisfies Record<DueWork['kind'], Handler>;

/** A newer database may name kinds that this process does not know. Processes of the newer version do that work. */
const handlerOf = (kind: DueWork['kind']): Handler | undefined => HANDLERS[kind];

/**
 * Finds everything that is due from rows alone, so that lost nudges, dead workers and an empty Redis change nothing but
 * the delay. Every step is guarded in its own WHERE, so any number of processes may sweep at once.
 */
export async function sweep(deps: Deps): Promise<SweepResult> {
  const { rows } = await sql<DueWork>`SELECT * FROM due_work(200)`.execute(deps.db.across);
  const round: Round = { lanes: new Set(), waves: [], inDoubt: 0, starting: new Set() };
  for (const work of rows) await handlerOf(work.kind)?.(deps, work, round);
  const { starting, ...result } = round;
  for (const tenantId of starting) result.waves.push(...(await startScheduled(deps, tenantId)));
  return result;
}

async function endLease(deps: Deps, work: DueWork): Promise<number> {
  return deps.db.withTenant(work.tenant_id, async (tx) => {
    const ended = await expireLease(tx, work.tenant_id, work.id, DOUBT_WINDOW_MS);
    if (!ended) return 0;
    deps.log.warn({ batchId: work.id, messageId: ended.messageId, inDoubt: ended.inDoubt }, 'lease passed: its worker is gone');
    await notifyProgress(tx, work.tenant_id, ended.messageId);
    return ended.inDoubt;
  });
}

async function expireMessage(deps: Deps, tenantId: number, messageId: string): Promise<void> {
  await deps.db.withTenant(tenantId, async (tx) => {
    const { rows } = await sql<{ id: string }>`
      UPDATE messages SET state = 'expired'
      WHERE tenant_id = ${tenantId} AND id = ${messageId} AND state IN ('live', 'scheduled') AND expires_at <= now()
      RETURNING id`.execute(tx);
    if (rows.length === 0) return;
    await tx
      .updateTable('waves')
      .set({ state: 'cancelled' })
      .where('tenant_id', '=', tenantId)
      .where('message_id', '=', messageId)
      .where('state', '=', 'waiting')
      .where('ordinal', '>', 0)
      .execute();
    await notifyProgress(tx, tenantId, messageId);
    await notifyStop(tx, { tenantId, messageId });
  });
  await closeMessage(deps, tenantId, messageId);
}
