/**
 * Chooses one of the answers by weight. Weights name a key, or else a position ("1" is the first); an answer that they do not
 * name has no weight. All answers are alike where no weight fits.
 *
 * @param luck 0 <= luck < 1
 */
export function chooseAnswer(keys: readonly string[], weights: Readonly<Record<string, number>>, luck: number): string | undefined {
  const byKey = keys.some((key) => weights[key] !== undefined);
  const given = keys.map((key, i) => weights[byKey ? key : String(i + 1)] ?? 0);
  const sum = given.reduce((total, weight) => total + weight, 0);
  if (sum === 0) return keys[Math.floor(luck * keys.length)];
  let left = luck * sum;
  for (const [i, weight] of given.entries()) {
    left -= weight;
    if (left < 0) return keys[i];
  }
  return keys.at(-1);
}
