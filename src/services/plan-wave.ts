import type { MessageClass } from '#schemas/delivery.ts';
import { deliverJob } from '#schemas/jobs.ts';
import type { Audience } from '#schemas/audience.ts';
import type { Tx } from '#db/database.ts';
import { planPage, type PlannedPage } from '#db/plan-page.ts';
import { wavePeople } from '#db/wave-people.ts';
import { completeMessage } from './complete-message.ts';
import { type Deps, notifyProgress } from './context.ts';
import { type ZoneMemory, zoneWindows } from './quiet-windows.ts';
import { chooseSenders } from './senders-for.ts';
import { storeForecast } from './store-forecast.ts';

/** A small first page lets sending start at once; later pages are read as fast as the database gives them. */
const FIRST_PAGE = 250;
const PAGE = 2_000;

/** Nudges for one page: enough to wake every worker, few enough to cost nothing. Workers find the rest in the rows. */
const MAX_NUDGES = 16;

interface Step {
  page: PlannedPage;
  lane: MessageClass;
  messageId: string;
  done: boolean;
  /** Of the wave with which the message began. */
  first: boolean;
}

interface Position {
  tenantId: number;
  waveId: string;
  limit: number;
  memory: ZoneMemory;
}

/**
 * Plans a wave page by page, each in its own transaction, nudging workers after each, so that sending starts while
 * planning goes on. Resumable: the wave's row holds the position, and its lock keeps two planners apart.
 */
export async function planWave(deps: Deps, tenantId: number, waveId: string, stopping: () => boolean = () => false): Promise<void> {
  const memory: ZoneMemory = {};
  for (let limit = FIRST_PAGE; !stopping(); limit = PAGE) {
    const step = await deps.db.withTenant(tenantId, (tx) => planOne(tx, deps, { tenantId, waveId, limit, memory }));
    if (!step || (await announce(deps, tenantId, step))) return;
  }
}

/** Wakes workers for the page, and ends the planning with the last one. @returns whether the wave is planned */
async function announce(deps: Deps, tenantId: number, step: Step): Promise<boolean> {
  const nudges = Math.min(step.page.batches, MAX_NUDGES);
  await Promise.all(Array.from({ length: nudges }, () => deps.queue.nudge(deliverJob(step.lane), { messageId: step.messageId })));
  if (!step.done) return false;
  if (step.first) await storeForecast(deps, tenantId, step.messageId);
  // A wave that reaches nobody has no last batch that would notice the end.
  await completeMessage(deps, tenantId, step.messageId);
  return true;
}

/** A wave that may be planned at once. */
export type DueWave = { tenantId: number; waveId: string };

/** A wave whose first page was planned by whoever launched it. */
export interface BegunWave extends DueWave {
  readonly step: Step | undefined;
}

/**
 * Plans the first page of each wave inside the launch itself: workers then claim at once, without waiting for a planner
 * to be woken first (54 ms from the post to the first call, 40 with it, of which the post's answer takes 24).
 */
export async function beginWaves(tx: Tx, deps: Deps, waves: readonly DueWave[]): Promise<BegunWave[]> {
  const begun: BegunWave[] = [];
  for (const wave of waves) begun.push({ ...wave, step: await planOne(tx, deps, { ...wave, limit: FIRST_PAGE, memory: {} }) });
  return begun;
}

/** After the launch has committed: wakes workers for what is planned, and a planner for the rest. */
export async function announceWaves(deps: Deps, waves: readonly BegunWave[]): Promise<void> {
  await Promise.all(
    waves.map(async ({ tenantId, waveId, step }) => {
      const planned = step !== undefined && (await announce(deps, tenantId, step));
      if (!planned) await deps.queue.nudge('plan', { tenantId, waveId });
    }),
  );
}

async function planOne(tx: Tx, deps: Deps, { tenantId, waveId, limit, memory }: Position): Promise<Step | undefined> {
  const wave = await tx
    .selectFrom('waves')
    .selectAll()
    .where('tenant_id', '=', tenantId)
    .where('id', '=', waveId)
    .where('state', 'in', ['waiting', 'planning'])
    .forUpdate()
    .skipLocked()
    .executeTakeFirst();
  if (!wave) return undefined;
  const message = await tx.selectFrom('messages').selectAll().where('tenant_id', '=', tenantId).where('id', '=', wave.message_id).executeTakeFirstOrThrow();
  // A stop or expiry ends later waves that have not begun. The first one is planned to its end whatever happens, so that
  // everybody of the frozen audience has a row that says what became of him; its batches are closed as they come.
  if (wave.ordinal > 0 && wave.state === 'waiting' && message.state !== 'live' && message.state !== 'completed') {
    await tx.updateTable('waves').set({ state: 'cancelled' }).where('tenant_id', '=', tenantId).where('id', '=', waveId).execute();
    return undefined;
  }
  if (message.state === 'completed')
    await tx.updateTable('messages').set({ state: 'live', completed_at: null }).where('tenant_id', '=', tenantId).where('id', '=', message.id).execute();
  const page = await planPage(tx, {
    tenantId,
    messageId: message.id,
    wave: wave.ordinal,
    waveId,
    lane: message.class,
    channels: wave.channels,
    mode: wave.mode,
    ...(await chooseSenders(tx, tenantId, message.class, message.drill)),
    condition: wavePeople(
      {
        selects: wave.selects,
        ordinal: wave.ordinal,
        messageId: message.id,
        followsId: message.follows_id,
        recipientIds: wave.recipient_ids,
        audience: message.audience as Audience,
      },
      (id) => deps.ids.decode('rcp', id),
    ),
    followsId: wave.selects === 'reached' ? message.follows_id : null,
    untried: wave.selects === 'not_reached',
    freezes: wave.ordinal === 0 || wave.selects === 'ids',
    // Joins come in any order of ids, so their wave has no position: what is planned leaves its list.
    cursorId: wave.selects === 'ids' ? '0' : wave.cursor_id,
    maxId: wave.selects === 'ids' ? null : message.audience_max_id,
    limit: wave.selects === 'ids' ? Math.max(limit, wave.recipient_ids?.length ?? 0) + 1 : limit,
    // Who joins by himself is awake.
    windows: message.class === 'bulk' && wave.selects !== 'ids' ? await zoneWindows(tx, tenantId, memory) : null,
  });
  const done = wave.selects === 'ids' || page.people < limit;
  await tx
    .updateTable('waves')
    .set(done ? { state: 'planned', planned_at: new Date(deps.clock.now()), ...(wave.selects === 'ids' ? { recipient_ids: [] } : {}) } : { state: 'planning' })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', waveId)
    .execute();
  await notifyProgress(tx, tenantId, message.id);
  return { page, lane: message.class, messageId: message.id, done, first: wave.ordinal === 0 };
}
