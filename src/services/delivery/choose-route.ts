import { takeProbe, takeProbeOfFirst } from '#db/delivery/breaker.ts';
import { type ClaimedBatch, releaseBatch } from '#db/delivery/claim-batch.ts';
import { deferBatches, standIns } from '#db/delivery/sender-batches.ts';
import { insteadOf } from '#domain/delivery/choose-sender.ts';
import type { Deps } from '#services/context.ts';

/** What a claimed batch may do now. */
export interface Route {
  readonly batch: ClaimedBatch;
  /** The sender that its first few people go by, to find out whether that sender works again. */
  readonly probe: number | null;
  /** Whether its sender is stopped or fails, so that another one stands in. */
  readonly ill: boolean;
}

/**
 * Decides what a claimed batch may do where its sender is stopped or its breaker open. Life goes by another sender that is well,
 * one batch may probe, and everything else of that sender waits for the next probe.
 *
 * @returns undefined when the batch was put back
 */
export async function chooseRoute(deps: Pick<Deps, 'db'>, batch: ClaimedBatch): Promise<Route | undefined> {
  const plain: Route = { batch, probe: null, ill: false };
  if (batch.health === 'well' || batch.health === 'watched') return plain;
  return deps.db.withTenant(batch.tenantId, async (tx) => {
    if (batch.health === 'asks') return { ...plain, probe: await takeProbeOfFirst(tx, batch) };
    const standIn = batch.lane === 'life' && insteadOf(await standIns(tx, batch), batch.senderId) !== undefined;
    // With a stand-in no life message waits for a probe, unless no other batch has asked this sender for long.
    if (batch.health === 'open' && (await takeProbe(tx, batch, standIn))) return { ...plain, probe: batch.senderId };
    if (standIn) return { ...plain, ill: true };
    const waitMs = await deferBatches(tx, batch);
    if (waitMs === 0) return plain;
    await releaseBatch(tx, batch, waitMs);
    return undefined;
  });
}
