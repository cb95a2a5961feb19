/** What a life message must say beside until when (`expiresAt`): whom it means, where, what to do, who issues it. */
export const WORDING_PARTS = ['who', 'where', 'instruction', 'issuer'] as const;
export type WordingPart = (typeof WORDING_PARTS)[number];

/** One wording for every language, or one per locale. */
export type WordingInput = { readonly [P in WordingPart]?: string | Readonly<Record<string, string>> | undefined };

/** The same, as it is kept with a message: per locale. */
export type Wording = Readonly<Record<string, Readonly<Partial<Record<WordingPart, string>>>>>;
