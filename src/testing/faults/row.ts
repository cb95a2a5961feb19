import type { Verdict } from './check.ts';
import type { World } from './world.ts';

export interface Size {
  /** A tenth of the people and of the waiting, as `npm test` runs it. */
  readonly short: boolean;
  readonly seed: number;
}

/** What one row showed. A row fails when `broken` holds anything. */
export interface Result {
  readonly injected: string;
  readonly people: number;
  readonly lost: number;
  readonly doubled: number;
  /** Deliveries that are listed as `unknown` or `unresolved`. */
  readonly inDoubt: number;
  /** Milliseconds from the fault's end until work moved again; null where nothing stood still. */
  readonly recoverMs: number | null;
  readonly notes: readonly string[];
  /** Promises that did not hold. */
  readonly broken: readonly string[];
}

export interface Row {
  readonly name: string;
  readonly about: string;
  /** Redis faults need Redis; everything else runs on both backends. */
  readonly only?: 'redis' | 'postgres';
  run(world: World, size: Size): Promise<Result>;
}

/** What a verdict counts, and how a row says that there were some. */
const COUNTED = {
  lost: (n: number) => `lost ${n}`,
  doubled: (n: number) => `doubled ${n}`,
  inDoubt: (n: number) => `${n} in doubt`,
  miscounted: (n: number) => `counters differ from rows by ${n}`,
} as const satisfies Partial<Record<keyof Verdict, (n: number) => string>>;

/** Collects what did not hold. */
export class Promises {
  readonly broken: string[] = [];

  hold(holds: boolean, text: string): void {
    if (!holds) this.broken.push(text);
  }

  /** Holds that the verdict counted none of these. */
  none(verdict: Verdict, ...counted: (keyof typeof COUNTED)[]): void {
    for (const name of counted) this.hold(verdict[name] === 0, COUNTED[name](verdict[name]));
  }

  /** The row's result: what the verdict counted unless the row counted otherwise, and the promises that were broken. */
  result({ people, lost, doubled, inDoubt }: Verdict, told: Pick<Result, 'injected' | 'notes'> & Partial<Result>): Result {
    return { people, lost, doubled, inDoubt, recoverMs: null, ...told, broken: this.broken };
  }
}

/** Numbers in [0, 1) from a seed (mulberry32), so that a run can be repeated. */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
