import { type ClaimedBatch, claimBatches } from '#db/delivery/claim-batch.ts';
import type { Database } from '#db/database.ts';
import { Gather } from '#db/gather.ts';
import { monotonicMs } from '#platform/clock.ts';
import type { Log } from '#platform/log.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { deliverBatch, type DeliverDeps } from '#services/delivery/deliver-batch.ts';

export interface LaneOptions {
  lane: MessageClass;
  /** Batches delivered at once by this process, not counting those that wait for a slow carrier or a slow sender's turn. */
  slots: number;
  /** The lane's own pool: what bulk exhausts, life does not miss. */
  db: Database;
  workerName: string;
  deps: Omit<DeliverDeps, 'db' | 'stopping' | 'moved'>;
  log: Log;
}

/** A claim that has neither marked nor settled anybody for this long only waits: it costs nothing, and holds up nobody else. */
const SLOW_MS = 1_000;
/** While one sender is busy its lane looks for others' work this often besides each nudge; a look costs a claim that finds nothing. */
const LOOK_MS = 100;
/** The lane was idle: its second slot looks for work once the first one has marked somebody, or so much later. */
const APART_MS = 6;
/** Claims at most, in multiples of the slots: each is kept alive by a write every three seconds. */
const CLAIMS = 8;
/** Messages to a few people each that one slot delivers together. */
const SMALL = 32;

interface Held {
  readonly senderId: number;
  movedAt: number;
}

/**
 * The slots of one lane in this process. A nudge wakes one idle slot; a slot claims and delivers batches until there
 * are none, and wakes a neighbour whenever it found one, so a big message has all slots busy within a few claims.
 *
 * One sender holds all the slots at most, and others are claimed beside it: with four slots for all, a message by a number
 * that sends one a second kept everything else of its lane waiting for a quarter of an hour, and ten thousand SMS at 320 a
 * second the e-mails for half a minute. Claims that only wait (a provider takes 30 s for each answer) count for nobody.
 */
export class Lane {
  readonly #options: LaneOptions;
  readonly #deps: DeliverDeps;
  readonly #gather: Gather;
  readonly #held = new Set<Held>();
  #busy = 0;
  #stopping = false;
  #idle: (() => void) | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** A claim beside slots that are all taken is under way; `again`: somebody was told of work since it began. */
  #beside: 'no' | 'looking' | 'again' = 'no';

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#gather = new Gather(options.db);
    this.#deps = { ...options.deps, db: options.db, stopping: () => this.#stopping };
  }

  /** There may be work, of anybody. */
  wake(): void {
    if (this.#stopping || !this.#hasRoom(1)) return;
    const beside = this.#busy >= this.#options.slots;
    if (beside) {
      if (this.#beside !== 'no') {
        this.#beside = 'again';
        return;
      }
      this.#beside = 'looking';
    }
    this.#busy += 1;
    const looked = beside ? once(() => this.#lookedBeside()) : undefined;
    void this.#work(looked).finally(() => {
      looked?.();
      this.#busy -= 1;
      if (this.#busy === 0) this.#idle?.();
    });
  }

  /**
   * One look at a time: while a campaign of 40,000 was planned, each of its pages woke the lane sixteen times, and four claims
   * that found nothing ran beside each other, 2 to 20 ms each, where marks and settles wanted the database.
   */
  #lookedBeside(): void {
    const again = this.#beside === 'again';
    this.#beside = 'no';
    if (again) this.wake();
  }

  /** There was work: there may be more, at times of others. */
  #wakeNext(): void {
    const now = monotonicMs();
    if (this.#busy >= this.#options.slots && now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    this.wake();
  }

  /** Whether so many more may be at work: neither those who only wait count, nor those of a sender that holds all the slots it may. */
  #hasRoom(more: number): boolean {
    const { slots } = this.#options;
    const busy = this.#busy + more;
    if (busy <= slots) return true;
    const before = monotonicMs() - SLOW_MS;
    const full = new Set(this.#full());
    const apart = [...this.#held].filter((held) => held.movedAt < before || full.has(held.senderId)).length;
    return busy - apart <= slots && busy <= slots * CLAIMS;
  }

  /** Senders that hold as many slots as there are. */
  #full(): number[] {
    const counts = new Map<number, number>();
    for (const { senderId } of this.#held) counts.set(senderId, (counts.get(senderId) ?? 0) + 1);
    return [...counts].flatMap(([senderId, n]) => (n >= this.#options.slots ? [senderId] : []));
  }

  async #work(looked?: () => void): Promise<void> {
    const { db, lane, workerName, log } = this.#options;
    try {
      while (!this.#stopping && this.#hasRoom(0)) {
        const batches = await claimBatches(db.across, lane, workerName, { skip: this.#full(), more: SMALL - 1 }).finally(looked);
        const [first] = batches;
        if (!first) return;
        const held: Held = { senderId: first.senderId, movedAt: monotonicMs() };
        this.#held.add(held);
        // The first mark after a pause has the machine for itself: a neighbour's claim beside it costs it 2 ms.
        let neighbour: NodeJS.Timeout | undefined;
        if (this.#busy === 1) neighbour = setTimeout(() => this.#wakeNext(), APART_MS);
        else this.#wakeNext();
        try {
          await this.#deliver(batches, () => (held.movedAt = monotonicMs()));
        } finally {
          clearTimeout(neighbour);
          this.#held.delete(held);
        }
      }
    } catch (error) {
      // The claim's lease passes and the sweep hands the batch to somebody else; what was marked is in doubt until then.
      log.error({ lane, error: (error as Error).message, code: (error as { code?: string }).code }, 'slot failed');
    }
  }

  /** Small ones side by side, sharing transactions; one that fails does not end the others. */
  async #deliver(batches: readonly ClaimedBatch[], moved: () => void): Promise<void> {
    const [first, ...others] = batches;
    if (!first) return;
    if (others.length === 0) return deliverBatch({ ...this.#deps, moved }, first);
    const ends = await Promise.allSettled(batches.map((batch) => deliverBatch({ ...this.#deps, moved, db: this.#gather.of(batch.messageId) }, batch)));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Claims nothing more, lets what is marked be sent and settled. */
  async drain(): Promise<void> {
    this.#stopping = true;
    if (this.#busy > 0) await new Promise<void>((done) => (this.#idle = done));
  }
}

function once(run: () => void): () => void {
  let ran = false;
  return () => {
    if (ran) return;
    ran = true;
    run();
  };
}
