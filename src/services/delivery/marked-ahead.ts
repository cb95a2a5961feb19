import { monotonicMs } from '#platform/clock.ts';
import { FairTurns } from './fair-turns.ts';

/** Added to the time that two marks take: the pauses between them, between batches, and of this process. */
const SPARE_MS = 50;
/** Throughput is measured anew this often, or as soon as everybody who was marked has been called. */
const WINDOW_MS = 100;

interface Asked {
  readonly tenantId: number;
  readonly people: number;
  readonly kind: 'any' | 'whole' | 'alone';
  readonly go: (granted: number) => void;
}

/**
 * Bounds how many people of a lane, channel and account are marked in this process and not yet called to the end. A crash
 * leaves all of them in doubt, so marks must not run far ahead of the carrier. As many are marked as it has connections, and
 * besides as many as are called while the next ones are marked. At full speed that is `most`; for a carrier that takes 2 s for
 * each answer on 32 connections, 40 people are marked at a time. Without a bound, four slots held 1,000 before such a carrier.
 *
 * The bound begins small, so a process that dies right after its start has marked few, and 40 calls tell how fast the carrier is.
 */
export class MarkedAhead {
  readonly most: number;
  readonly #connections: number;
  readonly #least: number;
  readonly #waiting: Asked[] = [];
  readonly #turns = new FairTurns();
  #ahead: number;
  #marked = 0;
  #markMs = 0;
  #called = 0;
  #since = 0;

  /** @param connections how many calls the carrier takes at once */
  constructor(connections: number, most: number) {
    this.most = most;
    this.#connections = Math.min(connections, most);
    this.#least = Math.ceil(this.#connections / 4);
    this.#ahead = this.#least;
  }

  /** How many people may be marked and not yet called to the end. */
  get limit(): number {
    return Math.min(this.most, this.#connections + this.#ahead);
  }

  /**
   * Resolves with how many of `people` may be marked now. Tenants take fair turns, and each tenant's slices go in the order of
   * asking. `whole`: all or none, since the sender's budget is asked for all of them. `alone`: one person, while nobody else is
   * marked.
   */
  take(tenantId: number, people: number, kind: Asked['kind'] = 'any'): Promise<number> {
    return new Promise((go) => {
      this.#waiting.push({ tenantId, people, kind, go });
      this.#grant();
    });
  }

  /** How many places a person takes: all of them for one who goes alone, one otherwise. */
  weight(kind: Asked['kind']): number {
    return kind === 'alone' ? this.most : 1;
  }

  /** @param called how many calls have ended; 0 for marks that came to nothing */
  give(back: number, called = 0): void {
    this.#marked -= back;
    this.#called += called;
    if (called > 0) this.#measure();
    this.#grant();
  }

  /** Notes how long a mark took, since the people marked before it must last for so long. */
  tookToMark(ms: number): void {
    this.#markMs += (ms - this.#markMs) / 8;
  }

  #grant(): void {
    for (let first = this.#next(); first; first = this.#next()) {
      const granted = this.#room(first);
      if (granted === 0) return;
      this.#waiting.splice(this.#waiting.indexOf(first), 1);
      this.#turns.served(first.tenantId, granted);
      if (this.#marked === 0) this.#restart();
      this.#marked += granted * this.weight(first.kind);
      first.go(granted);
    }
  }

  /** No slice overtakes one that there is no room for yet, since a large slice would starve. */
  #next(): Asked | undefined {
    let [next] = this.#waiting;
    for (const asked of this.#waiting) if (next && this.#turns.clockOf(asked.tenantId) < this.#turns.clockOf(next.tenantId)) next = asked;
    return next;
  }

  #room({ people, kind }: Asked): number {
    if (kind === 'alone') return this.#marked === 0 ? 1 : 0;
    // A paced sender calls one slice while the next one waits.
    const two = Math.min(this.most, this.#connections + 2 * people);
    if (kind === 'whole') return this.#marked + people <= Math.max(this.limit, two) ? people : 0;
    const free = this.limit - this.#marked;
    // People are not let through one by one, since each mark is a transaction.
    return free >= Math.min(people, Math.ceil(this.#ahead / 2)) ? Math.min(people, free) : 0;
  }

  #measure(): void {
    const ms = monotonicMs() - this.#since;
    if (this.#called < this.limit && ms < WINDOW_MS) return;
    const soon = Math.ceil((this.#called / Math.max(ms, 1)) * (SPARE_MS + 2 * this.#markMs));
    this.#ahead = Math.max(this.#least, Math.min(soon, this.most - this.#connections));
    this.#restart();
  }

  #restart(): void {
    this.#since = monotonicMs();
    this.#called = 0;
  }
}
