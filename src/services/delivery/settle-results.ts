import { monotonicMs } from '#platform/clock.ts';
import { noteHearing, returnProbe } from '#db/delivery/breaker.ts';
import type { ClaimedBatch } from '#db/delivery/claim-batch.ts';
import type { Tx } from '#db/database.ts';
import { noteCalls } from '#db/delivery/note-calls.ts';
import { lowerPace, raisePace, stopSender } from '#db/delivery/pace.ts';
import { takeBackLate } from '#db/delivery/take-back-late.ts';
import { type SettledPerson, settleLate, settleSlice } from '#db/delivery/settle-slice.ts';
import { hearingOf } from '#domain/delivery/breaker.ts';
import { settle } from '#domain/delivery/delivery.ts';
import type { Outcome } from '#domain/delivery/outcome.ts';
import { appendAudit } from '#services/audit.ts';
import { type Deps, notifyProgress, systemActor } from '#services/context.ts';
import type { Cut } from './cut-slices.ts';
import { insist } from '#services/insist.ts';
import { applySendEffects, type Sent } from './send-effects.ts';

interface SettleDeps extends Pick<Deps, 'db' | 'log'> {
  /** In [0, 1): jitter. */
  readonly random: () => number;
}

/** A slice, or a part of it, that was called. */
interface Called {
  readonly cut: Cut;
  /** Monotonic time of the first call, for the message's times. */
  readonly calledAt: number;
}

/** Writes what the calls of a slice, or of a part of it, came to. */
export async function settleResults(deps: SettleDeps, { cut, calledAt }: Called, results: readonly Sent[]): Promise<void> {
  const { batch, plan } = cut;
  const { tenantId, senderId } = batch;
  if (results.length === 0) return cut.probe ? deps.db.withTenant(tenantId, (tx) => returnProbe(tx, tenantId, senderId)) : undefined;
  const settled: SettledPerson[] = results.map(({ person, outcome }) => ({
    id: person.id,
    ...settle(batch.lane, meaningOf(outcome, cut), person.attempts, deps.random()),
  }));
  const kinds = new Set(results.map((r) => r.outcome.kind));
  const called = results.some(({ outcome }) => outcome.kind !== 'not_called');
  const facts = async (tx: Tx): Promise<number> => {
    const [ours] = await Promise.all([
      settleSlice(tx, batch, settled),
      plan.pace !== null && called && !kinds.has('throttled') && raisePace(tx, tenantId, senderId),
      called && noteCalls(tx, tenantId, batch.messageId, monotonicMs() - calledAt, false),
      notifyProgress(tx, tenantId, batch.messageId),
    ]);
    return ours;
  };
  // Outcomes that say something about addresses or the sender need statements that depend on each other. All else travels at once.
  const speaks = cut.probe === true || batch.health !== 'well' || kinds.has('unknown') || kinds.has('retryable');
  const news = speaks || results.some(({ outcome, goneSubscriptions }) => !UNEVENTFUL.has(outcome.kind) || goneSubscriptions !== undefined);
  const write = async (tx: Tx): Promise<number> => {
    const ours = await facts(tx);
    await applySendEffects(tx, batch, results);
    const wrong = results.find((r) => r.outcome.kind === 'misconfigured')?.outcome;
    if (wrong?.kind === 'misconfigured') await stop(deps, tx, batch, `${wrong.code}: ${wrong.detail}`);
    if (kinds.has('throttled')) await lowerPace(tx, tenantId, senderId);
    if (cut.probe && !called) await returnProbe(tx, tenantId, senderId);
    else if (speaks) await listen(deps, tx, cut, results);
    return ours;
  };
  const ours = await insist(deps, () => (news ? deps.db.withTenant(tenantId, write) : deps.db.atOnce(tenantId, facts)));
  if (ours === settled.length) return;
  const untouched = results.filter(({ outcome }) => outcome.kind === 'not_called').map(({ person }) => person.id);
  const late = (tx: Tx) => Promise.all([settleLate(tx, batch, settled), untouched.length > 0 && takeBackLate(tx, batch, untouched)]);
  await insist(deps, () => deps.db.atOnce(tenantId, late));
}

/** Outcomes that change nothing but the delivery itself. */
const UNEVENTFUL = new Set<Outcome['kind']>(['accepted', 'unknown', 'retryable', 'not_called']);

/**
 * What an outcome means for the delivery. A refused probe is no attempt of that person, since any other would have done as well. A
 * stand-in that the person opted out of, as only its carrier knew, leaves them to the sender that they were planned for.
 */
function meaningOf(outcome: Outcome, cut: Cut): Outcome {
  if (cut.probe && outcome.kind === 'retryable') return { kind: 'throttled', code: outcome.code, retryAfterMs: 1_000 };
  const optedOut = outcome.kind === 'gone' && outcome.reason === 'opted_out';
  return cut.standIn && optedOut ? { kind: 'throttled', code: outcome.code, retryAfterMs: 0 } : outcome;
}

async function listen(deps: SettleDeps, tx: Tx, { batch, probe = false }: Cut, results: readonly Sent[]): Promise<void> {
  const heard = hearingOf(
    results.map((result) => result.outcome),
    probe,
  );
  const turned = await noteHearing(tx, batch, heard);
  if (turned) deps.log.warn({ senderId: batch.senderId, channel: batch.channel, code: heard.code }, `the breaker of a sender ${turned}`);
}

/** Stops a sender whose credentials or address the provider refuses. A human is told, and nobody is suppressed. */
async function stop(deps: SettleDeps, tx: Tx, batch: ClaimedBatch, reason: string): Promise<void> {
  if (!(await stopSender(tx, batch.tenantId, batch.senderId, reason))) return;
  await appendAudit(tx, { tenantId: batch.tenantId, actor: systemActor }, 'sender.stop', String(batch.senderId), { reason });
  deps.log.error({ senderId: batch.senderId, channel: batch.channel, reason }, 'a sender stopped itself');
}
