import { expect, test } from 'vitest';
import { type Cohort, reproduction } from './spread-statistics.ts';

/** mulberry32 is a seeded generator, so that a failure can be repeated. */
function seeded(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const poisson = (mean: number, random: () => number): number => {
  let n = 0;
  for (let p = random(); p > Math.exp(-mean); p *= random()) n++;
  return n;
};
/** Most people bring nobody and a few bring many, so that the variance is the mean times (1 + mean). */
const geometric = (mean: number, random: () => number): number => Math.floor(Math.log(1 - random()) / Math.log(mean / (1 + mean)));

const cohort = (people: number, one: () => number): Cohort => {
  let children = 0;
  let squares = 0;
  for (let i = 0; i < people; i++) {
    const n = one();
    children += n;
    squares += n * n;
  }
  return { people, children, squares };
};

test.each([
  [0.5, 'poisson', poisson],
  [0.9, 'poisson', poisson],
  [1.3, 'poisson', poisson],
  [0.5, 'geometric', geometric],
  [0.9, 'geometric', geometric],
  [1.3, 'geometric', geometric],
])('the interval covers the truth of a branching process in at least 90 %% of seeds: R = %s, %s', (truth, _name, draw) => {
  for (const people of [30, 200]) {
    let covered = 0;
    for (let seed = 1; seed <= 500; seed++) {
      const random = seeded(seed * 7919 + people);
      const found = reproduction(cohort(people, () => draw(truth, random)));
      if (found !== 'too_early' && found.low <= truth && truth <= found.high) covered++;
    }
    expect(covered).toBeGreaterThanOrEqual(450);
  }
});

test('too early below 30, and nobody brought is not proof of zero', () => {
  expect(reproduction({ people: 29, children: 20, squares: 20 })).toBe('too_early');
  const none = reproduction({ people: 100, children: 0, squares: 0 });
  expect(none).toMatchObject({ r: 0, low: 0 });
  // The exact Poisson bound is 0.0369.
  expect((none as { high: number }).high).toBeCloseTo(0.037, 2);
});
