import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { drillProblems } from '#domain/message/drill-text.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';

/** The database must find in a text what the verb finds: it decides whether the mark lets the message out. */
let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const denies = async (title: string | null, text: Record<string, string>): Promise<boolean> => {
  const { rows } = await sql<{ denies: boolean }>`SELECT denies_drill(${title}, ${JSON.stringify(text)}::jsonb) AS denies`.execute(deps.db.across);
  return rows[0]?.denies ?? false;
};

test.each([
  ['en', 'THIS IS NOT A DRILL', true],
  ['en', 'This is not\nan exercise.', true],
  ['en', 'This isn’t a drill', true],
  ['en', 'Do not drill through the wall', false],
  ['en', 'This is a drill', false],
  ['de', 'DIES IST KEINE ÜBUNG!', true],
  ['de', 'Das ist keine übung', true],
  ['de', 'Kein Probealarm', true],
  ['de', 'Keine Panik: Übung', false],
  ['fr', "Ceci n'est pas un exercice", true],
  ['fr', 'CE N’EST PAS UN EXERCICE', true],
  ['fr', 'Ce n’est pas\u00a0un\u202fexercice', true],
  ['fr', 'Ceci est un exercice', false],
  ['es', 'Esto no es un simulacro', true],
  ['es', 'NO ES NINGÚN EJERCICIO', true],
  ['es', 'Esto es un simulacro', false],
])('%s: %j', async (locale, words, expected) => {
  const found = (title: string | null, text: Record<string, string>) => drillProblems({ drill: true, title, text }).length > 0;
  const inText = { en: 'Go to the hall.', [locale]: words };
  expect([found(null, inText), await denies(null, inText)]).toEqual([expected, expected]);
  expect([found(words, { en: 'Go' }), await denies(words, { en: 'Go' })]).toEqual([expected, expected]);
});
