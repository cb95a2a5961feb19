import type { Tx } from '#db/database.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { deliverJob } from '#schemas/jobs.ts';
import { completeMessage } from './complete-message.ts';
import type { Deps } from '#services/context.ts';
import { type Planning, planPages, type Step, type WaveRow } from './plan-pages.ts';
import type { ZoneMemory } from './quiet-windows.ts';
import { storeForecast } from '#services/forecast/store-forecast.ts';

/** The first page is small so that sending starts at once; later pages are read as fast as the database gives them. */
export const FIRST_PAGE = 250;
/**
 * Each page is four times what is planned already, up to this: what the server needs to plan and begin a page is then spread
 * over many people (5 ms).
 */
const PAGE = 8_000;
/**
 * Audiences up to this size are planned to the end by the launch itself. That takes it some 3 ms; the planner would have to be
 * woken, wait for its turn, and come to the rest 40 ms later, beside another's campaign 100.
 */
const AT_LAUNCH = 1_000;

/** The time from a launch's commit to its first calls, about. */
const FIRST_CALLS_MS = 15;

/** Nudges for one page: enough to wake every worker, few enough to cost nothing. Workers find what remains in the rows. */
export const MAX_NUDGES = 16;

export interface PlanOptions {
  readonly stopping?: () => boolean;
  /** Runs before each page but the first, where one lane gives way to another. False leaves the rest to a later sweep. */
  readonly beforePage?: (lane: MessageClass) => Promise<boolean>;
}

/**
 * Plans a wave page by page, each in its own transaction, nudging workers after each, so that sending starts while
 * planning goes on. Resumable: the wave's row holds the position, and its lock keeps two planners apart.
 */
export async function planWave(
  deps: Deps,
  tenantId: number,
  waveId: string,
  { stopping = () => false, beforePage }: PlanOptions = {},
): Promise<void> {
  const memory: ZoneMemory = {};
  while (!stopping()) {
    const [step] = await deps.db.withTenant(tenantId, async (tx) => {
      const waves = await lockWaves(tx, tenantId, [waveId]);
      const limit = Math.min(Math.max(FIRST_PAGE, 4 * Number(waves[0]?.planned ?? 0)), PAGE);
      return planPages(tx, deps, waves, { tenantId, limit, memory });
    });
    if (!step) return forecastPlanned(deps, tenantId, waveId);
    await announce(deps, tenantId, step);
    if (!step.done) {
      if (beforePage && !(await beforePage(step.lane))) return;
      continue;
    }
    if (step.first) await storeForecast(deps, tenantId, step.messageId);
    return;
  }
}

/** Wakes workers for the page. A page that ends the wave may also end the message. */
async function announce(deps: Deps, tenantId: number, step: Step): Promise<void> {
  const nudges = Math.min(step.page.batches, MAX_NUDGES);
  await Promise.all(Array.from({ length: nudges }, () => deps.queue.nudge(deliverJob(step.lane), { messageId: step.messageId })));
  if (step.done) await completePlanned(deps, tenantId, step);
}

/** Makes the forecast of a message whose people were all planned with its launch: nobody else has made it. */
async function forecastPlanned(deps: Deps, tenantId: number, waveId: string): Promise<void> {
  const wave = await deps.db.withTenant(tenantId, (tx) =>
    tx
      .selectFrom('waves')
      .select('message_id')
      .where('tenant_id', '=', tenantId)
      .where('id', '=', waveId)
      .where('ordinal', '=', 0)
      .where('state', '=', 'planned')
      .executeTakeFirst(),
  );
  if (wave) await storeForecast(deps, tenantId, wave.message_id);
}

/** Completes a wave that reaches nobody: it has no last batch that would notice the end. */
export async function completePlanned(deps: Deps, tenantId: number, step: Step): Promise<void> {
  if (!step.began || step.page.batches === 0) await completeMessage(deps, tenantId, step.messageId);
}

/** A wave that may be planned at once. */
export type DueWave = { tenantId: number; waveId: string };

/** A wave whose first page its launch has planned. */
export interface BegunWave extends DueWave {
  readonly step: Step | undefined;
}

/**
 * Plans the first page of each wave that a launch has just written, inside the launch itself. Workers then claim at once and
 * need not wait until a planner is woken: 45 ms from the post to the first call instead of 53.
 */
export async function beginWaves(
  tx: Tx,
  deps: Deps,
  waves: readonly WaveRow[],
  { count, ...known }: NonNullable<Planning['known']> & { readonly count: number },
): Promise<BegunWave[]> {
  if (waves.length === 0) return [];
  const { tenant_id: tenantId } = known.message;
  // The limit is one more than there are people, because a page that is not full is the last one.
  const limit = count <= AT_LAUNCH ? count + 1 : FIRST_PAGE;
  const steps = await planPages(tx, deps, waves, { tenantId, limit, memory: {}, known });
  return waves.map(({ id }) => ({ tenantId, waveId: id, step: steps.find((step) => step.waveId === id) }));
}

/**
 * After the launch has committed: wakes workers for what is planned, and a planner for the rest and for the forecast,
 * which looks at everything that waits at the senders and must not keep the launch from its answer. The planner comes once
 * the first people are called: together with their claim and mark it kept two processors from them for 5 to 10 ms.
 */
export async function announceWaves(deps: Deps, waves: readonly BegunWave[]): Promise<void> {
  await Promise.all(
    waves.map(async ({ tenantId, waveId, step }) => {
      if (step) await announce(deps, tenantId, step);
      if (step?.done && !step.first) return;
      await deps.queue.nudge('plan', { tenantId, waveId }, step?.page.batches ? { delayMs: FIRST_CALLS_MS } : {});
    }),
  );
}

const lockWaves = (tx: Tx, tenantId: number, waveIds: readonly string[]): Promise<WaveRow[]> =>
  tx
    .selectFrom('waves')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', 'in', waveIds)
    .where('state', 'in', ['waiting', 'planning'])
    .forUpdate()
    .skipLocked()
    .execute();
