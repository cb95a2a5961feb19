/**
 * Seeded chance. `next` is a stream (mulberry32) for faults of the moment. `of` depends on the seed and the given words alone,
 * so that the same person has the same luck in whatever order calls arrive.
 */
export class Chance {
  readonly #seed: number;
  #state: number;

  constructor(seed: number) {
    this.#seed = seed;
    this.#state = seed;
  }

  /** 0 <= n < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    return unit(this.#state);
  }

  /** 0 <= n < 1, always the same for the same words. */
  of(...words: readonly (string | number)[]): number {
    let hash = 0x811c9dc5 ^ this.#seed;
    for (const word of words) {
      const text = String(word);
      for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
      hash = Math.imul(hash ^ 0xff, 0x01000193);
    }
    return unit(hash);
  }
}

/** The mixing step of mulberry32: spreads 32 bits evenly over the unit interval. */
function unit(state: number): number {
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
}

/** One of the list by a number from 0 to 1. */
export const pick = <T>(list: readonly T[], luck: number): T | undefined => list[Math.min(list.length - 1, Math.floor(luck * list.length))];

/** Log-normal around the median, as waiting times of people and carriers are; `spread` is its sigma. */
export function waitingTime(median: number, spread: number, luck: number, luck2: number): number {
  if (spread === 0 || median === 0) return median;
  // Box-Muller; 1 - luck is never 0.
  const normal = Math.sqrt(-2 * Math.log(1 - luck)) * Math.cos(2 * Math.PI * luck2);
  return median * Math.exp(spread * normal);
}
