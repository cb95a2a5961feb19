import { monotonicMs } from '#platform/clock.ts';
import { FairTurns } from './fair-turns.ts';

/** Beside the time that two marks take: the pauses between them, between batches, and of this process. */
const SPARE_MS = 50;
/** Throughput is measured anew this often, or as soon as everybody who was marked is through. */
const WINDOW_MS = 100;

interface Asked {
  readonly tenantId: number;
  readonly people: number;
  readonly kind: 'any' | 'whole' | 'alone';
  readonly go: (granted: number) => void;
}

/**
 * Bounds how many people of a lane, channel and account are marked in this process and not yet called to the end. A crash
 * leaves all of them in doubt, so marks must not run far ahead of the carrier: as many as it has connections, and besides
 * as many as are called while the next ones are marked. At full speed that is `most`; a carrier that takes 2 s for each
 * answer on 32 connections is marked 40 people at a time. Unbounded, four slots held 1,000 before such a carrier.
 *
 * It begins small: a process that dies right after its start has then marked few, and 40 calls tell how fast the carrier is.
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

  /** @param connections calls that the carrier takes at once */
  constructor(connections: number, most: number) {
    this.most = most;
    this.#connections = Math.min(connections, most);
    this.#least = Math.ceil(this.#connections / 4);
    this.#ahead = this.#least;
  }

  /** People who may be marked and not called to the end. */
  get limit(): number {
    return Math.min(this.most, this.#connections + this.#ahead);
  }

  /**
   * Resolves with how many of `people` may be marked now: fairly between tenants, and of each in order of asking. `whole`:
   * all or none, since the sender's budget is asked for all of them. `alone`: one, while nobody else is.
   */
  take(tenantId: number, people: number, kind: Asked['kind'] = 'any'): Promise<number> {
    return new Promise((go) => {
      this.#waiting.push({ tenantId, people, kind, go });
      this.#grant();
    });
  }

  /** What one `alone` holds, else one for each person. */
  weight(kind: Asked['kind']): number {
    return kind === 'alone' ? this.most : 1;
  }

  /** @param called whether calls have ended, and not only marks that came to nothing */
  give(back: number, called = 0): void {
    this.#marked -= back;
    this.#called += called;
    if (called > 0) this.#measure();
    this.#grant();
  }

  /** How long a mark took: so long must the people marked before it last. */
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

  /** Nobody overtakes whom there is no room for yet: a large slice would starve. */
  #next(): Asked | undefined {
    let [next] = this.#waiting;
    for (const asked of this.#waiting) if (next && this.#turns.clockOf(asked.tenantId) < this.#turns.clockOf(next.tenantId)) next = asked;
    return next;
  }

  #room({ people, kind }: Asked): number {
    if (kind === 'alone') return this.#marked === 0 ? 1 : 0;
    // Of a paced sender one slice is called while the next one waits.
    if (kind === 'whole') return this.#marked + people <= Math.max(this.limit, Math.min(this.most, this.#connections + 2 * people)) ? people : 0;
    const free = this.limit - this.#marked;
    // Not one by one: each mark is a transaction.
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
