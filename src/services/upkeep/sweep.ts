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

/**
 * Finds everything that is due from rows alone, so that lost nudges, dead workers and an empty Redis change nothing but
 * the delay. Every step is guarded in its own WHERE, so any number of processes may sweep at once.
 */
export async function sweep(deps: Deps): Promise<SweepResult> {
  const { rows } = await sql<DueWork>`SELECT * FROM due_work(200)`.execute(deps.db.across);
  const starting = new Set<number>();
  const result: SweepResult = { lanes: new Set(), waves: [], inDoubt: 0 };
  for (const work of rows) {
    if (work.kind === 'nudge') result.lanes.add(work.lane);
    else if (work.kind === 'wave') result.waves.push({ tenantId: work.tenant_id, waveId: work.id });
    else if (work.kind === 'close') await closeMessage(deps, work.tenant_id, work.id);
    else if (work.kind === 'expire') await expireMessage(deps, work.tenant_id, work.id);
    else if (work.kind === 'start') starting.add(work.tenant_id);
    else result.inDoubt += await endLease(deps, work);
  }
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
      UPDATE messages SET state = 'expired' WHERE tenant_id = ${tenantId} AND id = ${messageId} AND state IN ('live', 'scheduled') AND expires_at <= now() RETURNING id`.execute(
      tx,
    );
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
