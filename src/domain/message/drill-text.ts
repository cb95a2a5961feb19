import type { Wording } from '#schemas/wording.ts';

const GAP = '[\\s\u00a0\u2009\u202f]+';
/**
 * Denials in the languages that Muster speaks itself, since of other words nobody can say what they deny. The function
 * `denies_drill` of the database has the same.
 */
const DENIALS = [
  `\\b(?:not|isn['’]?t)${GAP}an?${GAP}(?:drill|exercise)\\b`,
  `\\bkeine?${GAP}(?:[üÜ]bung|probe(?:alarm)?)\\b`,
  `\\b(?:pas|n['’]est)${GAP}(?:pas${GAP})?un${GAP}exercice\\b`,
  `\\bno${GAP}es${GAP}(?:un|ning[úÚ]n)${GAP}(?:simulacro|ejercicio)\\b`,
].map((source) => new RegExp(source, 'iu'));

interface DrillWords {
  readonly drill: boolean;
  readonly title?: string | null | undefined;
  readonly text: Readonly<Record<string, string>>;
  readonly said?: Wording | null;
}

/**
 * A drill says in every channel that it is one, and may not deny it, not in its title either.
 * @returns one error a field: `text.<locale>`, `says.<part>` or `title`
 */
export function drillProblems({ drill, title, text, said }: DrillWords): { field: string; code: string; detail: string }[] {
  if (!drill) return [];
  const fields = [
    ...Object.entries(text).map(([locale, words]) => [`text.${locale}`, words] as const),
    ...Object.values(said ?? {}).flatMap((parts) => Object.entries(parts).map(([part, words]) => [`says.${part}`, words] as const)),
    ['title', title ?? ''] as const,
  ];
  return fields
    .filter(([, words]) => DENIALS.some((denial) => denial.test(words)))
    .map(([field]) => ({ field, code: 'drill_text', detail: 'a drill must not say that it is none, such as "this is not a drill"' }));
}
