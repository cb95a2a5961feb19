import { sql } from 'kysely';
import { MESSAGE_CLASSES, type MessageClass } from '#schemas/delivery.ts';
import { deliverJob } from '#schemas/jobs.ts';
import type { Deps } from '#services/context.ts';
import { planPages, type Step, type WaveRow } from './plan-pages.ts';
import { completePlanned, type DueWave, FIRST_PAGE, MAX_NUDGES, type PlanOptions, planWave } from './plan-wave.ts';

/** The first pages of so many waves are planned in one transaction. */
const TOGETHER = 16;
/** So many transactions are under way at once: the server plans one while this process makes the next. */
const AT_ONCE = 2;

export interface PlanDue extends PlanOptions {
  /** Is told that there are batches for this lane now. */
  readonly wake?: (lane: MessageClass) => void;
}

/** A message whose forecast is still to be kept (`storeForecast`). */
export interface Unforecast {
  readonly tenantId: number;
  readonly messageId: string;
}

/**
 * Plans everything that is due of these waves' tenants, many waves in one transaction, life first. Each worker takes waves
 * that nobody else holds: 1,000 launches of one second took a minute when each wave was a transaction and a nudge of its own.
 *
 * @returns messages that have begun and have no forecast yet. A forecast looks at all that waits at the senders: for a
 *   thousand messages that is ten times the work of planning them, so it is left for when nothing is due
 */
export async function planDue(
  deps: Deps,
  due: readonly DueWave[],
  { stopping = () => false, beforePage = () => Promise.resolve(true), wake }: PlanDue = {},
): Promise<Unforecast[]> {
  const planned: Planned[] = [];
  // Each tenant stands there once for each transaction: they take different waves of it.
  const tenants = [...new Set(due.map((wave) => wave.tenantId))].flatMap((tenantId) => Array.from({ length: AT_ONCE }, () => tenantId));
  const work = async (): Promise<void> => {
    for (let tenantId = tenants.pop(); tenantId !== undefined && !stopping(); tenantId = tenants.pop()) {
      const some = await planSome(deps, tenantId);
      if (!some) await oneByOne(deps, due, tenantId, { stopping, beforePage });
      else if (some.taken === TOGETHER) tenants.push(tenantId);
      await tell(deps, some?.planned ?? [], wake);
      planned.push(...(some?.planned ?? []));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  for (const { tenantId, step } of planned) {
    if (step.done) await completePlanned(deps, tenantId, step);
    else if (await beforePage(step.lane)) await planWave(deps, tenantId, step.waveId, { stopping, beforePage });
  }
  return planned.flatMap(({ tenantId, step: { done, first, messageId } }) => (done && first ? [{ tenantId, messageId }] : []));
}

interface Planned {
  readonly tenantId: number;
  readonly step: Step;
}

/** @returns undefined where the transaction failed: one wave that cannot be planned must not hold the others */
async function planSome(deps: Deps, tenantId: number): Promise<{ taken: number; planned: Planned[] } | undefined> {
  try {
    return await deps.db.withTenant(tenantId, async (tx) => {
      const { rows } = await sql<WaveRow>`
        SELECT w.* FROM waves w
        JOIN messages m ON m.tenant_id = w.tenant_id AND m.id = w.message_id
        WHERE w.tenant_id = ${tenantId} AND w.state IN ('waiting', 'planning') AND w.due_at <= now()
        ORDER BY m.class, w.due_at, w.id
        LIMIT ${TOGETHER}
        FOR UPDATE OF w SKIP LOCKED`.execute(tx);
      const steps = await planPages(tx, deps, rows, { tenantId, limit: FIRST_PAGE, memory: {} });
      return { taken: rows.length, planned: steps.map((step) => ({ tenantId, step })) };
    });
  } catch (error) {
    deps.log.warn({ tenantId, error: (error as Error).message }, 'waves could not be planned together: one by one');
    return undefined;
  }
}

async function oneByOne(deps: Deps, due: readonly DueWave[], tenantId: number, options: PlanOptions): Promise<void> {
  for (const wave of due.filter((one) => one.tenantId === tenantId))
    await planWave(deps, tenantId, wave.waveId, options).catch((error: unknown) =>
      deps.log.error({ waveId: wave.waveId, error: (error as Error).message }, 'a wave could not be planned; it is tried again'),
    );
}

/** Wakes this process and a few others; those wake each other, and find the rest in the rows. */
async function tell(deps: Deps, planned: readonly Planned[], wake: PlanDue['wake']): Promise<void> {
  for (const lane of MESSAGE_CLASSES) {
    const pages = planned.filter(({ step }) => step.lane === lane && step.page.batches > 0);
    const [first] = pages;
    if (!first) continue;
    wake?.(lane);
    const batches = pages.reduce((sum, { step }) => sum + step.page.batches, 0);
    const nudges = Math.min(Math.ceil(batches / TOGETHER), MAX_NUDGES);
    for (let i = 0; i < nudges; i++) await deps.queue.nudge(deliverJob(lane), { messageId: first.step.messageId });
  }
}
