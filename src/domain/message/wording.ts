import { type Wording, WORDING_PARTS, type WordingInput, type WordingPart } from '#schemas/wording.ts';

const ASKED: Readonly<Record<WordingPart, string>> = {
  who: 'whom it means',
  where: 'where it is',
  instruction: 'what people should do',
  issuer: 'who issues it',
};

/**
 * Chooses what a message says in each of its languages: its own wording first, then the organisation's.
 * @returns null where neither says anything
 */
export function wordingOf(locales: readonly string[], own: WordingInput, standing: WordingInput): Wording | null {
  const wording = (part: WordingInput[WordingPart], locale: string): string | undefined => (typeof part === 'object' ? part[locale] : part);
  const said = locales.flatMap((locale) => {
    const words = WORDING_PARTS.flatMap((part) => {
      const word = wording(own[part], locale) ?? wording(standing[part], locale);
      return word === undefined ? [] : [[part, word] as const];
    });
    return words.length === 0 ? [] : [[locale, Object.fromEntries(words)] as const];
  });
  return said.length === 0 ? null : Object.fromEntries(said);
}

/** Makes of the wording that is kept with a message what a client could give again. */
export function wordingAsGiven(said: Wording | null): WordingInput {
  const parts = WORDING_PARTS.flatMap((part) => {
    const words = Object.entries(said ?? {}).flatMap(([locale, words]) => (words[part] === undefined ? [] : [[locale, words[part]] as const]));
    return words.length === 0 ? [] : [[part, Object.fromEntries(words)] as const];
  });
  return Object.fromEntries(parts);
}

/** Says what a life message lacks in its wording, as errors of the fields `says.<part>`. */
export function missingWording(locales: readonly string[], said: Wording | null): { field: string; code: string; detail: string }[] {
  return WORDING_PARTS.flatMap((part) => {
    const without = locales.filter((locale) => said?.[locale]?.[part] === undefined);
    if (without.length === 0) return [];
    const where = locales.length === without.length ? '' : ` in ${without.join(', ')}`;
    return [
      {
        field: `says.${part}`,
        code: 'missing_words',
        detail: `A life message must say ${ASKED[part]}${where}. Give it here, or once for all messages in the organisation's settings.`,
      },
    ];
  });
}
