import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '#platform/clock.ts';
import { isUnavailable } from '#platform/unavailable.ts';
import { noteCalls } from '#db/note-calls.ts';
import { type ClaimedBatch, endClaim, HEARTBEAT_MS, releaseBatch, renewLease } from '#db/claim-batch.ts';
import { noteHearing, returnProbe } from '#db/breaker.ts';
import { type MarkedPerson, type MarkRefusal, markSlice } from '#db/mark-slice.ts';
import { lowerPace, raisePace, reservePace, stopSender } from '#db/pace.ts';
import type { Tx } from '#db/database.ts';
import { type SettledPerson, settleLate, settleSlice } from '#db/settle-slice.ts';
import { hearingOf } from '#domain/breaker.ts';
import { settle } from '#domain/delivery.ts';
import type { SendResult } from '#domain/channel.ts';
import type { Outcome } from '#domain/outcome.ts';
import { appendAudit } from './audit.ts';
import { type Deps, notifyProgress, systemActor } from './context.ts';
import { completeMessage } from './complete-message.ts';
import { type Cut, cutSlices } from './cut-slices.ts';
import { holdUntilMorning } from './quiet-windows.ts';
import { applySendEffects } from './send-effects.ts';
import { stopByGuard } from './stop-by-guard.ts';
import type { SendPlans } from './send-plan.ts';
import { takeTurn } from './take-turn.ts';

export interface DeliverDeps extends Deps {
  readonly plans: SendPlans;
  /** In [0, 1): jitter. */
  readonly random: () => number;
  readonly stopping: () => boolean;
  /** Told whenever people were marked or settled: a claim that does not move waits for its carrier, or for its turn. */
  readonly moved?: () => void;
  /** Before each mark: where one lane gives way to another. */
  readonly beforeMark?: () => Promise<void> | void;
}

/** From a turn's beginning to its first call: room for the mark, so that slices stay apart however long theirs takes. */
const MARK_MS = 50;
/** How soon a batch is looked at again whose channel or tenant is stopped for now, or which is about to be closed. */
const PAUSED_MS = 2_000;

/** Delivers a claimed batch under a heartbeat, so that slow carriers do not cost the lease and a dead worker is soon noticed. */
export async function deliverBatch(deps: DeliverDeps, batch: ClaimedBatch): Promise<void> {
  const beat = setInterval(() => {
    deps.db
      .atOnce(batch.tenantId, (tx) => renewLease(tx, batch))
      .catch((error: unknown) => deps.log.warn({ batchId: batch.id, error: (error as Error).message }, 'lease not renewed'));
  }, HEARTBEAT_MS);
  try {
    await deliverSlices(deps, batch);
  } catch (error) {
    // Nobody calls for this claim any more: the sweep need not wait for its lease.
    await insist(deps, () => deps.db.withTenant(batch.tenantId, (tx) => endClaim(tx, batch))).catch(() => undefined);
    throw error;
  } finally {
    clearInterval(beat);
  }
}

/** Mark, send, settle, slice by slice; the next mark is written while this slice is sent. */
async function deliverSlices(deps: DeliverDeps, batch: ClaimedBatch): Promise<void> {
  const turn = await takeTurn(deps, batch);
  if (!turn) return;
  const queue = await cutSlices(deps, turn);
  const { probe } = turn;
  if (probe !== null && !queue.some((cut) => cut.probe)) await deps.db.withTenant(batch.tenantId, (tx) => returnProbe(tx, batch.tenantId, probe));
  let refusal: MarkRefusal | undefined;
  let alone = queue[0]?.alone === true;
  let next = nextMark(deps, queue);
  while (next) {
    const marked = await next;
    deps.moved?.();
    next = undefined;
    if (typeof marked === 'string') {
      refusal = marked;
      break;
    }
    const sending = sendSlice(deps, marked);
    // Overlap: Node would wait for two commits otherwise (0.55-0.85 of the bare loop against 0.9).
    const overlaps = !alone && queue[0]?.alone !== true;
    alone = queue[0]?.alone === true;
    if (overlaps && !deps.stopping()) next = nextMark(deps, queue);
    next?.catch(() => undefined);
    try {
      await settleResults(deps, marked, await sending);
      deps.moved?.();
    } catch (error) {
      // Marked meanwhile and never to be called by this claim.
      const idle = await next?.catch(() => undefined);
      if (typeof idle === 'object') idle.cut.plan.ahead.give(idle.people.length * idle.cut.weight);
      throw error;
    }
    if (!overlaps && !deps.stopping()) next = nextMark(deps, queue);
  }
  if (refusal === 'lost') return;
  await finish(deps, batch, refusal);
}

interface MarkedSlice {
  cut: Cut;
  people: MarkedPerson[];
  /** Monotonic time of the first call, for the message's times. */
  calledAt: number;
  startAt: number;
  unitMs: number;
}

function nextMark(deps: DeliverDeps, queue: Cut[]): Promise<MarkedSlice | MarkRefusal> | undefined {
  const cut = queue.shift();
  return cut && mark(deps, cut);
}

async function mark(deps: DeliverDeps, slice: Cut): Promise<MarkedSlice | MarkRefusal> {
  const { batch, plan } = slice;
  let startAt = 0;
  let unitMs = 0;
  await deps.beforeMark?.();
  if (plan.paced) {
    const turn = await deps.db.atOnce(batch.tenantId, (tx) => reservePace(tx, batch.tenantId, batch.senderId, slice.ids.length * plan.unitsPerCall));
    startAt = monotonicMs() + turn.waitMs + MARK_MS;
    unitMs = turn.unitMs * plan.unitsPerCall;
    // The mark is written when the turn comes, not before: a stop must find nothing marked that waits.
    if (turn.waitMs > 0) await delay(turn.waitMs);
  }
  await plan.ahead.take(slice.ids.length * slice.weight);
  let people: MarkedPerson[] | MarkRefusal;
  try {
    people = await markSlice(deps.db, batch, slice);
  } catch (error) {
    plan.ahead.give(slice.ids.length * slice.weight);
    // Whether it was committed cannot be known, but none of these people was called: whoever is marked waits again.
    await insist(deps, () => deps.db.atOnce(batch.tenantId, (tx) => settleSlice(tx, batch, slice.ids.map(notCalled)))).catch(() => undefined);
    throw error;
  }
  plan.ahead.give((slice.ids.length - (typeof people === 'string' ? 0 : people.length)) * slice.weight);
  // A mark that took longer moves its calls, all by the same time: sent at once they would break the rate.
  return typeof people === 'string' ? people : { cut: slice, people, calledAt: monotonicMs(), startAt: Math.max(startAt, monotonicMs()), unitMs };
}

const notCalled = (id: string): SettledPerson => ({ id, state: 'pending', code: 'not_called', providerId: null, units: 0, delayMs: 0, uncounted: true });

/** How long what carriers said is kept while the database is away. Later the sweep lists those people as in doubt. */
const INSIST_MS = 60_000;
const INSIST_EVERY_MS = 250;

/**
 * Repeats a write that failed because the database was away: thrown away, a restart of the database would leave
 * everybody who was just called in doubt. Safe to repeat, since the fence and the state guard every settle.
 */
async function insist<T>(deps: DeliverDeps, write: () => Promise<T>): Promise<T> {
  for (const until = monotonicMs() + INSIST_MS; ; ) {
    try {
      return await write();
    } catch (error) {
      if (!isUnavailable(error) || monotonicMs() > until) throw error;
      deps.log.debug({ error: (error as Error).message }, 'the database is away; the write is repeated');
      await delay(INSIST_EVERY_MS);
    }
  }
}

interface Sent extends SendResult {
  readonly person: MarkedPerson;
}

/** All calls of the slice at once (the adapter bounds what is in flight), or one by one at the sender's pace. */
function sendSlice(deps: DeliverDeps, slice: MarkedSlice): Promise<Sent[]> {
  const { batch, plan } = slice.cut;
  const targetOf = plan.targetsOf(slice.people, batch);
  return Promise.all(
    slice.people.map(async (person, i) => {
      if (slice.unitMs > 0) {
        const early = slice.startAt + i * slice.unitMs - monotonicMs();
        // Timers are exact to a millisecond; late is allowed, early is not.
        if (early > 0) await delay(Math.ceil(early));
        await plan.window?.enter();
      }
      try {
        const { prepared, target } = targetOf(i);
        return { person, ...(await prepared.send(target)) };
      } catch (error) {
        // A bug or a row that cannot be rendered: nothing was called, this person fails, the batch goes on.
        deps.log.error(
          { messageId: batch.messageId, recipientId: person.id, channel: batch.channel, error: (error as Error).message },
          'delivery could not be made',
        );
        return { person, outcome: { kind: 'rejected', code: 'render_error' } as const };
      } finally {
        plan.ahead.give(slice.cut.weight);
      }
    }),
  );
}

async function settleResults(deps: DeliverDeps, { cut, calledAt }: MarkedSlice, results: readonly Sent[]): Promise<void> {
  const { batch, plan } = cut;
  if (results.length === 0) return cut.probe ? deps.db.withTenant(batch.tenantId, (tx) => returnProbe(tx, batch.tenantId, batch.senderId)) : undefined;
  const settled: SettledPerson[] = results.map(({ person, outcome }) => ({
    id: person.id,
    ...settle(batch.lane, meaningOf(outcome, cut), person.attempts, deps.random()),
  }));
  const kinds = new Set(results.map((r) => r.outcome.kind));
  const facts = async (tx: Tx): Promise<number> => {
    const [ours] = await Promise.all([
      settleSlice(tx, batch, settled),
      plan.paced && !kinds.has('throttled') && raisePace(tx, batch.tenantId, batch.senderId),
      noteCalls(tx, batch.tenantId, batch.messageId, monotonicMs() - calledAt, false),
      notifyProgress(tx, batch.tenantId, batch.messageId),
    ]);
    return ours;
  };
  // Outcomes that say something about addresses or the sender need statements that depend on each other; the rest travels at once.
  const speaks = cut.probe === true || batch.health !== 'well' || kinds.has('unknown') || kinds.has('retryable');
  const news = speaks || results.some(({ outcome, goneSubscriptions }) => !UNEVENTFUL.has(outcome.kind) || goneSubscriptions !== undefined);
  const write = async (tx: Tx): Promise<number> => {
    const ours = await facts(tx);
    await applySendEffects(tx, batch, results);
    const wrong = results.find((r) => r.outcome.kind === 'misconfigured')?.outcome;
    if (wrong?.kind === 'misconfigured') await stop(deps, tx, batch, `${wrong.code}: ${wrong.detail}`);
    if (kinds.has('throttled')) await lowerPace(tx, batch.tenantId, batch.senderId);
    if (speaks) await listen(deps, tx, cut, results);
    return ours;
  };
  const ours = await insist(deps, () => (news ? deps.db.withTenant(batch.tenantId, write) : deps.db.atOnce(batch.tenantId, facts)));
  if (ours < settled.length) await insist(deps, () => deps.db.atOnce(batch.tenantId, (tx) => settleLate(tx, batch, settled)));
}

/** Outcomes that change nothing but the delivery itself. */
const UNEVENTFUL = new Set<Outcome['kind']>(['accepted', 'unknown', 'retryable']);

/**
 * What an outcome means for the delivery. A refused probe is no attempt of that person: others would have been as good.
 * A stand-in that the person opted out of, as only its carrier knew, leaves him to the sender he was planned for.
 */
function meaningOf(outcome: Outcome, cut: Cut): Outcome {
  if (cut.probe && outcome.kind === 'retryable') return { kind: 'throttled', code: outcome.code, retryAfterMs: 1_000 };
  if (cut.standIn && outcome.kind === 'gone' && outcome.reason === 'opted_out') return { kind: 'throttled', code: outcome.code, retryAfterMs: 0 };
  return outcome;
}

async function listen(deps: DeliverDeps, tx: Tx, { batch, probe = false }: Cut, results: readonly Sent[]): Promise<void> {
  const heard = hearingOf(
    results.map((result) => result.outcome),
    probe,
  );
  const turned = await noteHearing(tx, batch, heard);
  if (turned) deps.log.warn({ senderId: batch.senderId, channel: batch.channel, code: heard.code }, `the breaker of a sender ${turned}`);
}

/** Our credentials or the sender are refused: it stops, a human is told, nobody is suppressed. */
async function stop(deps: DeliverDeps, tx: Tx, batch: ClaimedBatch, reason: string): Promise<void> {
  if (!(await stopSender(tx, batch.tenantId, batch.senderId, reason))) return;
  await appendAudit(tx, { tenantId: batch.tenantId, actor: systemActor }, 'sender.stop', String(batch.senderId), { reason });
  deps.log.error({ senderId: batch.senderId, channel: batch.channel, reason }, 'a sender stopped itself');
}

async function finish(deps: DeliverDeps, batch: ClaimedBatch, refusal: MarkRefusal | undefined): Promise<void> {
  await insist(deps, () =>
    refusal
      ? deps.db.withTenant(batch.tenantId, async (tx) =>
          releaseBatch(tx, batch, refusal === 'quiet' ? await holdUntilMorning(tx, batch) : refusal === 'sender' ? 0 : PAUSED_MS),
        )
      : deps.db.atOnce(batch.tenantId, (tx) => Promise.all([releaseBatch(tx, batch, null), noteCalls(tx, batch.tenantId, batch.messageId, 0, true)])),
  );
  if (refusal === 'guarded') await stopByGuard(deps, batch);
  if (refusal === 'closed' || refusal === 'guarded') return deps.queue.nudge('close', { tenantId: batch.tenantId, messageId: batch.messageId });
  await completeMessage(deps, batch.tenantId, batch.messageId);
}
