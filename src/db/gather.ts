import type { Database, Tx } from './database.ts';
import { wasRolledBack } from './one-packet.ts';

/** At most so many pieces of work share a transaction. They are some 15 ms of marks, which a stop may have to wait for. */
const TOGETHER = 32;
/** So many transactions run at a time; pieces that come meanwhile go with the next ones. */
const AT_ONCE = 2;

interface Piece {
  readonly tenantId: number;
  readonly key: string;
  work(tx: Tx): Promise<unknown>;
  done(value: unknown): void;
  fail(error: unknown): void;
}

/**
 * Commits many small pieces of work as a group. A thousand messages to one person each would be five transactions apiece, and
 * their commits, packets and wake-ups cost more than what they write.
 */
export class Gather {
  readonly #db: Database;
  readonly #waiting: Piece[] = [];
  #underWay = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * The same database, whose `atOnce` shares transactions. A transaction takes at most one piece of a `key` (digits), and
   * takes its pieces in the order of their keys, so that locks are taken in one order.
   */
  of(key: string): Database {
    return { ...this.#db, atOnce: (tenantId, work) => this.#add(tenantId, key, work) };
  }

  #add<T>(tenantId: number, key: string, work: (tx: Tx) => Promise<T>): Promise<T> {
    return new Promise<T>((done, fail) => {
      this.#waiting.push({ tenantId, key, work, done, fail });
      // It waits for the end of the turn, since the pieces that one answer releases are asked for in the same turn.
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

  /** Takes pieces of the tenant that waits longest. */
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
      // A piece that cannot be written must not take the others with it. They are repeated only where surely nothing was written.
      if (pieces.length > 1 && wasRolledBack(error)) await Promise.all(pieces.map((piece) => this.#run(tenantId, [piece])));
      else for (const piece of pieces) piece.fail(error);
    }
  }
}
