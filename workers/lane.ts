import { claimBatch } from '#db/claim-batch.ts';
import type { Database } from '#db/database.ts';
import type { Log } from '#platform/log.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { deliverBatch, type DeliverDeps } from '#services/deliver-batch.ts';

export interface LaneOptions {
  lane: MessageClass;
  /** Batches delivered at once by this process. */
  slots: number;
  /** The lane's own pool: what bulk exhausts, life does not miss. */
  db: Database;
  workerName: string;
  deps: Omit<DeliverDeps, 'db' | 'stopping'>;
  log: Log;
}

/**
 * The slots of one lane in this process. A nudge wakes one idle slot; a slot claims and delivers batches until there
 * are none, and wakes a neighbour whenever it found one, so a big message has all slots busy within a few claims.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #deps: DeliverDeps;
  #busy = 0;
  #stopping = false;
  #idle: (() => void) | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#deps = { ...options.deps, db: options.db, stopping: () => this.#stopping };
  }

  wake(): void {
    if (this.#stopping || this.#busy >= this.#options.slots) return;
    this.#busy += 1;
    void this.#work().finally(() => {
      this.#busy -= 1;
      if (this.#busy === 0) this.#idle?.();
    });
  }

  async #work(): Promise<void> {
    const { db, lane, workerName, log } = this.#options;
    try {
      while (!this.#stopping) {
        const batch = await claimBatch(db.across, lane, workerName);
        if (!batch) return;
        this.wake();
        await deliverBatch(this.#deps, batch);
      }
    } catch (error) {
      // The claim's lease passes and the sweep hands the batch to somebody else; what was marked is in doubt until then.
      log.error({ lane, error: (error as Error).message, code: (error as { code?: string }).code }, 'slot failed');
    }
  }

  /** Claims nothing more, lets what is marked be sent and settled. */
  async drain(): Promise<void> {
    this.#stopping = true;
    if (this.#busy > 0) await new Promise<void>((done) => (this.#idle = done));
  }
}
