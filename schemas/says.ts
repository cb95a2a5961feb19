/** What a life message must say beside until when (`expiresAt`): whom it means, where, what to do, who issues it. */
export const SAYS = ['who', 'where', 'instruction', 'issuer'] as const;
export type SaysPart = (typeof SAYS)[number];

/** One wording for every language, or one per locale. */
export type Says = { readonly [P in SaysPart]?: string | Readonly<Record<string, string>> | undefined };

/** The same, as it is kept with a message: per locale. */
export type Said = Readonly<Record<string, Readonly<Partial<Record<SaysPart, string>>>>>;
