import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deniesDrill, foldWords } from '#domain/message/drill-text.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { DENYING, HARMLESS } from '#testing/drill-words.ts';

/** The database must find in a text what the verb finds: it decides whether the mark lets the message out. */
let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

async function judged(words: readonly string[]): Promise<{ denies: boolean; folded: string }[]> {
  const { rows } = await sql<{ denies: boolean; folded: string }>`
    SELECT denies_drill(NULL, jsonb_build_object('en', words)) AS denies, fold_words(words) AS folded
    FROM unnest(${[...words]}::text[]) WITH ORDINALITY w(words, n)
    ORDER BY n`.execute(deps.db.across);
  return rows;
}

/** The same words with something between, around or on top of their letters. */
const disguised = (words: string): string[] => [
  words,
  words.toUpperCase(),
  words.normalize('NFD'),
  `«${words}»!`,
  `Go to the hall.\n${words}\nNow.`,
  words.replace(/(?<=\p{L})(?=\p{L})/gu, '\u200b'),
  words.replaceAll(' ', '\u00a0\u202f'),
  words.replaceAll(' ', ' - '),
  words.replace(/[aeiou]/g, (vowel) => `${vowel}\u0301`),
  words.replaceAll('o', 'о').replaceAll('a', 'а').replaceAll('e', 'е'),
];

test.each([
  ['denies', DENYING, true],
  ['is harmless', HARMLESS, false],
] as const)('what %s does so for the verb and for the mark, however it is written', async (_name, table, expected) => {
  const words = table.flatMap(disguised);
  const found = await judged(words);
  expect(found.map(({ denies }, i) => [words[i], denies])).toEqual(words.map((one) => [one, expected]));
  expect(words.map((one) => [one, deniesDrill(one)])).toEqual(words.map((one) => [one, expected]));
  expect(found.map(({ folded }) => folded)).toEqual(words.map(foldWords));
});

test('title and wording are read too', async () => {
  const { rows } = await sql<{ title: boolean; said: boolean; none: boolean }>`
    SELECT denies_drill('Not a drill', '{"en": "Go"}') AS title, denies_drill(NULL, '{"en": "Go"}', '{"en": {"who": "This is not a drill"}}') AS said,
      denies_drill(NULL, '{"en": "Go"}', NULL) AS none`.execute(deps.db.across);
  expect(rows).toEqual([{ title: true, said: true, none: false }]);
});
