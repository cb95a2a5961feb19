import type { Database, Tx } from './database.ts';
import { wasRolledBack } from './one-packet.ts';

/** Pieces of work that share a transaction at most: some 15 ms of marks, which a stop may have to wait for. */
const TOGETHER = 32;
/** Transactions under way; what comes meanwhile goes with the next ones. */
const AT_ONCE = 2;

interface Piece {
  readonly tenantId: number;
  readonly key: string;
  work(tx: Tx): Promise<unknown>;
  done(value: unknown): void;
  fail(error: unknown): void;
}

/**
 * Group commit for many small pieces of work: a thousand messages to one person each are five transactions apiece, and
 * their commits, packets and wake-ups cost more than what they write.
 */
export class Gather {
  readonly #db: Database;
  readonly #waiting: Piece[] = [];
  #underWay = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /** The same database, whose `atOnce` shares transactions. Of one `key` a transaction takes one piece, and it takes them in order, so that locks are. */
  of(key: string): Database {
    return { ...this.#db, atOnce: (tenantId, work) => this.#add(tenantId, key, work) };
  }

  #add<T>(tenantId: number, key: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return new Promise<T>((done, fail) => {
      this.#waiting.push({ tenantId, key, work, done, fail });
      // Whoever is released by one answer asks in the same turn of the loop.
      setImmediate(() => this.#next());
    });
  }

  #next(): void {
    if (this.#underWay >= AT_ONCE) return;
    const pieces = this.#take();
    const [first] = pieces;
    if (!first) return;
    this.#underWay += 1;
    void this.#run(first.tenantId, pieces).finally(() => {
      this.#underWay -= 1;
      this.#next();
    });
  }

  /** Those of the tenant that waits longest. */
  #take(): Piece[] {
    const taken = new Map<string, Piece>();
    const tenantId = this.#waiting[0]?.tenantId;
    for (let i = 0; i < this.#waiting.length && taken.size < TOGETHER; ) {
      const piece = this.#waiting[i];
      if (!piece || piece.tenantId !== tenantId || taken.has(piece.key)) i += 1;
      else {
        taken.set(piece.key, piece);
        this.#waiting.splice(i, 1);
      }
    }
    return [...taken.values()].toSorted((a, b) => (BigInt(a.key) < BigInt(b.key) ? -1 : 1));
  }

  async #run(tenantId: number, pieces: readonly Piece[]): Promise<void> {
    try {
      const values = await this.#db.atOnce(tenantId, (tx) => Promise.all(pieces.map((piece) => piece.work(tx))));
      for (const [i, piece] of pieces.entries()) piece.done(values[i]);
    } catch (error) {
      // One that cannot be written must not take the others along. Only where it is sure that nothing was.
      if (pieces.length > 1 && wasRolledBack(error)) await Promise.all(pieces.map((piece) => this.#run(tenantId, [piece])));
      else for (const piece of pieces) piece.fail(error);
    }
  }
}
