/** In the languages that Muster speaks itself; of other words nobody can say what they deny. */
const DENIALS = [
  /\bnot\s+an?\s+(?:drill|exercise)\b/i,
  /\bkeine?\s+(?:übung|probe)\b/i,
  /\b(?:pas|n'est)\s+(?:un|pas\s+un)\s+exercice\b/i,
  /\bno\s+es\s+(?:un|ningún)\s+(?:simulacro|ejercicio)\b/i,
];

interface DrillWords {
  readonly drill: boolean;
  readonly title?: string | null | undefined;
  readonly text: Readonly<Record<string, string>>;
}

/** A drill says so itself, in every channel, and may not deny it: not in its title either. */
export function drillProblems({ drill, title, text }: DrillWords): { field: string; code: string; detail: string }[] {
  if (!drill) return [];
  const fields = [...Object.entries(text).map(([locale, words]) => [`text.${locale}`, words] as const), ['title', title ?? ''] as const];
  return fields
    .filter(([, words]) => DENIALS.some((denial) => denial.test(words)))
    .map(([field]) => ({ field, code: 'drill_text', detail: 'a drill must not say that it is none, such as "this is not a drill"' }));
}
