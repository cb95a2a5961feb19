import { setImmediate as otherTurn } from 'node:timers/promises';
import type { Tx } from '#db/database.ts';
import { monotonicMs } from '#platform/clock.ts';
import { noteCalls } from '#db/delivery/note-calls.ts';
import { type ClaimedBatch, endClaim, HEARTBEAT_MS, releaseBatch, renewLease } from '#db/delivery/claim-batch.ts';
import { returnProbe } from '#db/delivery/breaker.ts';
import { type MarkedPerson, type MarkRefusal, markSlice } from '#db/delivery/mark-slice.ts';
import { reservePace } from '#db/delivery/pace.ts';
import { type SettledPerson, settleSlice } from '#db/delivery/settle-slice.ts';
import type { SendResult } from '#domain/delivery/channel.ts';
import type { Recall } from '#domain/delivery/recall.ts';
import type { Deps } from '#services/context.ts';
import { completeMessage } from '#services/planning/complete-message.ts';
import { type Cut, cutSlices } from './cut-slices.ts';
import { insist } from '#services/insist.ts';
import { holdUntilMorning } from '#services/planning/quiet-windows.ts';
import type { Recalls } from './recalls.ts';
import type { Sent } from './send-effects.ts';
import { settleResults } from './settle-results.ts';
import { stopByGuard } from './stop-by-guard.ts';
import { type AskBudget, PacedCalls, type Turn } from './sender-pace.ts';
import type { SendPlans } from './send-plan.ts';
import { chooseRoute } from './choose-route.ts';

export interface DeliverDeps extends Deps {
  readonly plans: SendPlans;
  /** The recalls of this process, which is where stops are heard. */
  readonly recalls: Recalls;
  /** Gives jitter, in [0, 1). */
  readonly random: () => number;
  readonly stopping: () => boolean;
  /** Is told whenever people were marked or settled: a claim that does not move waits for its carrier, or for its turn. */
  readonly moved?: () => void;
  /** Is called before each mark, where one lane gives way to another. */
  readonly beforeMark?: () => Promise<void> | void;
}

/** How soon a batch is looked at again whose channel or tenant is stopped for now, or which is about to be closed. */
const PAUSED_MS = 2_000;

/** Delivers a claimed batch under a heartbeat, so that slow carriers do not cost the lease and a dead worker is soon noticed. */
export async function deliverBatch(deps: DeliverDeps, batch: ClaimedBatch): Promise<void> {
  const beat = setInterval(() => {
    deps.db
      .atOnce(batch.tenantId, (tx) => renewLease(tx, batch))
      .catch((error: unknown) => deps.log.warn({ batchId: batch.id, error: (error as Error).message }, 'lease not renewed'));
  }, HEARTBEAT_MS);
  const recall = deps.recalls.hold(batch);
  try {
    await deliverSlices(deps, batch, recall);
  } catch (error) {
    // Nobody is called for this claim any more, so the sweep need not wait for its lease.
    await insist(deps, () => deps.db.withTenant(batch.tenantId, (tx) => endClaim(tx, batch))).catch(() => undefined);
    throw error;
  } finally {
    deps.recalls.drop(recall);
    clearInterval(beat);
  }
}

/**
 * Marks, sends and settles slice by slice. The next mark is written while the slices before it are sent, as far ahead as
 * `MarkedAhead` lets it. Waiting for two commits between slices cost a third of the speed (0.55-0.85 of the bare loop
 * against 0.9), and waiting for the slowest call of each slice leaves a slow carrier's connections idle.
 */
async function deliverSlices(deps: DeliverDeps, batch: ClaimedBatch, recall: Recall): Promise<void> {
  const turn = await chooseRoute(deps, batch);
  if (!turn) return;
  const queue = await cutSlices(deps, turn);
  const { probe } = turn;
  const { tenantId } = batch;
  if (probe !== null && !queue.some((cut) => cut.probe)) await deps.db.withTenant(tenantId, (tx) => returnProbe(tx, tenantId, probe));
  const sending = new Sending();
  let refusal: MarkRefusal | undefined;
  try {
    for (let cut = queue.shift(); cut && !deps.stopping() && !recall.recalled && !sending.failed; cut = queue.shift()) {
      await sending.atMost(cut.alone ? 0 : cut.narrow ? 1 : Number.POSITIVE_INFINITY);
      const marked = await mark(deps, cut, queue);
      deps.moved?.();
      if (typeof marked === 'string') {
        refusal = marked;
        break;
      }
      sending.add(sendSlice(deps, marked, recall));
      if (cut.alone) await sending.atMost(0);
    }
  } finally {
    await sending.end();
  }
  if (refusal === 'lost') return;
  await finish(deps, batch, refusal ?? (recall.recalled ? 'recalled' : undefined));
}

/** The slices of a claim that are being sent. */
class Sending {
  readonly #slices = new Set<Promise<void>>();
  #error: unknown;
  failed = false;

  add(slice: Promise<void>): void {
    const one: Promise<void> = slice
      .catch((error: unknown) => {
        this.failed = true;
        this.#error ??= error;
      })
      .finally(() => this.#slices.delete(one));
    this.#slices.add(one);
  }

  async atMost(count: number): Promise<void> {
    while (this.#slices.size > count) await Promise.race(this.#slices);
  }

  /** Resolves when nobody is called any more, and throws what went wrong first. */
  async end(): Promise<void> {
    await this.atMost(0);
    if (this.failed) throw this.#error;
  }
}

interface MarkedSlice {
  cut: Cut;
  people: MarkedPerson[];
  /** The monotonic time of the first call, for the message's times. */
  calledAt: number;
  /** The turn of a sender that has a rate. */
  turn: Turn | undefined;
}

/** Marks as much of the cut as may be marked ahead now. The rest of it comes next. */
async function mark(deps: DeliverDeps, cut: Cut, queue: Cut[]): Promise<MarkedSlice | MarkRefusal> {
  const { batch, plan } = cut;
  // It gives way before it waits for the turn, which would pass meanwhile.
  if (plan.pace) await deps.beforeMark?.();
  // The mark is written when the turn comes and not before, since what is marked and waits is in doubt after a crash.
  const turn = await plan.pace?.turn(budgetOf(deps, batch), cut.ids.length * plan.unitsPerCall);
  // Where all were set aside, nobody of it is left; the mark still counts them as done.
  const granted = cut.ids.length > 0 ? await plan.ahead.take(cut.batch.tenantId, cut.ids.length, cut.take) : 0;
  const slice = granted < cut.ids.length && cut.take === 'any' ? firstOf(cut, granted, queue) : cut;
  const taken = granted * plan.ahead.weight(cut.take);
  // Give way again after waiting: otherwise four slots that had been let through before went on to mark beside the other lane.
  if (!plan.pace) await deps.beforeMark?.();
  const from = monotonicMs();
  let people: MarkedPerson[] | MarkRefusal;
  try {
    people = await markSlice(deps.db, batch, slice);
  } catch (error) {
    plan.ahead.give(taken);
    // Whether it was committed cannot be known, but none of these people was called: those who are marked wait again.
    const back = slice.ids.map(notCalled);
    await insist(deps, () => deps.db.atOnce(batch.tenantId, (tx) => settleSlice(tx, batch, back))).catch(() => undefined);
    throw error;
  }
  deps.recalls.heard();
  plan.ahead.tookToMark(monotonicMs() - from);
  plan.ahead.give(taken - (typeof people === 'string' ? 0 : people.length * plan.ahead.weight(cut.take)));
  return typeof people === 'string' ? people : { cut: slice, people, calledAt: monotonicMs(), turn };
}

const budgetOf =
  (deps: DeliverDeps, { tenantId, senderId }: ClaimedBatch): AskBudget =>
  (units) =>
    deps.db.atOnce(tenantId, (tx) => reservePace(tx, tenantId, senderId, units));

function firstOf(cut: Cut, count: number, queue: Cut[]): Cut {
  const rest = cut.ids.slice(count);
  queue.unshift({ ...cut, ids: rest });
  // People who are due again were marked before. Of the others, those before the rest are marked now.
  const again = cut.markedTo === cut.batch.marked;
  return { ...cut, ids: cut.ids.slice(0, count), markedTo: again ? cut.markedTo : cut.markedTo - rest.length };
}

const NOT_CALLED: SendResult = { outcome: { kind: 'not_called', code: 'not_called' } };

const notCalled = (id: string): SettledPerson => ({
  id,
  state: 'pending',
  code: 'not_called',
  providerId: null,
  units: 0,
  delayMs: 0,
  uncounted: true,
});

/** Calls everybody of the slice and writes what came of it. After a stop, people who were not called are written at once. */
async function sendSlice(deps: DeliverDeps, slice: MarkedSlice, recall: Recall): Promise<void> {
  const results: Sent[] = [];
  const calls = callAll(deps, slice, recall, results);
  await Promise.race([calls, recall.told]);
  if (recall.recalled && !slice.cut.probe) {
    // Calls that have not begun have their outcome by then; one that has begun may take the carrier's whole time-out.
    await otherTurn();
    const known = results.splice(0);
    if (known.length > 0) await settleResults(deps, slice, known);
    await calls;
    if (results.length > 0) await settleResults(deps, slice, results);
  } else {
    await calls;
    await settleResults(deps, slice, results);
  }
  deps.moved?.();
}

/** Makes as many calls at once as the carrier has connections, or one by one at the sender's pace. */
async function callAll(deps: DeliverDeps, slice: MarkedSlice, recall: Recall, results: Sent[]): Promise<void> {
  const { batch, plan, take } = slice.cut;
  const targetOf = plan.targetsOf(slice.people, batch);
  const weight = plan.ahead.weight(take);
  const { turn } = slice;
  const { slots, unitsPerCall } = plan;
  const paced = plan.pace && turn && new PacedCalls(plan.pace, turn, { ask: budgetOf(deps, batch), unitsPerCall, slots });
  /** Undefined where the budget could not be asked: the person waits again. */
  const turnOf = (calls: PacedCalls, i: number): Promise<(() => void) | undefined> =>
    calls.enter(i, recall).catch((error: unknown) => {
      const { messageId, senderId } = batch;
      deps.log.warn({ messageId, senderId, error: (error as Error).message }, 'no turn for a late call; it waits');
      return undefined;
    });
  const call = async (person: MarkedPerson, i: number): Promise<void> => {
    let called = 1;
    let ended: (() => void) | undefined;
    try {
      // Nothing is made for a person who is taken back: a push is encrypted first, and ten of them were written as not called
      // only after the slowest answer.
      if (recall.recalled) {
        called = 0;
        return void results.push({ person, ...NOT_CALLED });
      }
      // This comes before its turn, since the first call of a message in a new process renders the text.
      const { prepared, target } = targetOf(i);
      if (paced) ended = await turnOf(paced, i);
      const result: SendResult = paced && !ended ? NOT_CALLED : await prepared.send(target, recall);
      if (result.outcome.kind === 'not_called') called = 0;
      results.push({ person, ...result });
    } catch (error) {
      // This is a bug or a row that cannot be rendered. Nothing was called; this person fails, and the batch goes on.
      deps.log.error(
        { messageId: batch.messageId, recipientId: person.id, channel: batch.channel, error: (error as Error).message },
        'delivery could not be made',
      );
      results.push({ person, outcome: { kind: 'rejected', code: 'render_error' } });
    } finally {
      ended?.();
      plan.ahead.give(weight, called);
    }
  };
  if (paced) await Promise.all(slice.people.map(call));
  else await overConnections(slice.people, plan.concurrency, recall, call);
}

/**
 * Makes each call when a lane is free for it. Made all at once, the texts, requests and promises of a slice wait for the few
 * connections, and everything that waits is copied by every collection of garbage.
 */
async function overConnections(
  people: readonly MarkedPerson[],
  lanes: number,
  recall: Recall,
  call: (person: MarkedPerson, i: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < people.length; i = next++) {
      const person = people[i];
      if (person) await call(person, i);
    }
  };
  // Calls that have not begun when a stop comes hear of it at once, although all lanes wait for the carrier.
  const rest = recall.told.then(lane);
  await Promise.all(Array.from({ length: Math.min(lanes, people.length) }, lane));
  if (recall.recalled) await rest;
}

const noteEnd = (tx: Tx, { tenantId, messageId }: ClaimedBatch): Promise<unknown> => noteCalls(tx, tenantId, messageId, 0, true);

async function finish(deps: DeliverDeps, batch: ClaimedBatch, refusal: MarkRefusal | 'recalled' | undefined): Promise<void> {
  await insist(deps, () =>
    refusal
      ? deps.db.withTenant(batch.tenantId, async (tx) =>
          releaseBatch(tx, batch, refusal === 'quiet' ? await holdUntilMorning(tx, batch) : refusal === 'sender' ? 0 : PAUSED_MS),
        )
      : deps.db.atOnce(batch.tenantId, (tx) => Promise.all([releaseBatch(tx, batch, null), noteEnd(tx, batch)])),
  );
  if (refusal === 'guarded') await stopByGuard(deps, batch);
  // Where it was recalled because the message stopped, what waits of this batch is closed now.
  if (refusal === 'closed' || refusal === 'guarded' || refusal === 'recalled')
    return deps.queue.nudge('close', { tenantId: batch.tenantId, messageId: batch.messageId });
  await completeMessage(deps, batch.tenantId, batch.messageId);
}
