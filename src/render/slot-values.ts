import type { SlotValues } from '#domain/delivery/channel.ts';

/** What one person's slots are made of. The tokens are sealed already. */
export interface SlotSource {
  readonly name: string | null;
  /** `https://host`, without a slash at the end. */
  readonly publicUrl: string;
  readonly answerToken: string;
  readonly shareToken?: string;
  readonly unsubscribeToken?: string;
  readonly ref?: string;
}

/** A token has 23 characters of base62. */
export const TOKEN_CHARACTERS = 23;
/** A link is `${publicUrl}/r/` and a token. */
export const linkLength = (publicUrl: string): number => trimUrl(publicUrl).length + 3 + TOKEN_CHARACTERS;

/** Longer names are cut, since 40 characters keep a greeting inside one line, and the segment forecast true. */
export const MAX_NAME_CHARACTERS = 40;

/** Makes one person's values. A missing name is '', and `fillTemplate` closes the gap. */
export function slotValues(source: SlotSource): SlotValues {
  const name = cleanName(source.name);
  const url = trimUrl(source.publicUrl);
  return {
    name,
    firstName: firstNameOf(name),
    link: `${url}/r/${source.answerToken}`,
    ...(source.shareToken === undefined ? {} : { shareLink: `${url}/s/${source.shareToken}` }),
    ...(source.unsubscribeToken === undefined ? {} : { unsubscribeLink: `${url}/u/${source.unsubscribeToken}` }),
    ...(source.ref === undefined ? {} : { ref: source.ref }),
  };
}

const trimUrl = (url: string): string => url.replace(/\/+$/, '');

// These are line and paragraph separators, half surrogates, and marks that turn the direction of all text after them.
const UNWANTED = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069\ufeff]+/gu;
// Most names have plain letters alone and need none of the work below, which runs once per person and message.
const PLAIN = /^[A-Za-z][A-Za-z'-]*(?: [A-Za-z][A-Za-z'-]*)*$/;

/** Writes a name on one line of at most 40 characters, without anything that could forge a header or turn the text round. */
export function cleanName(name: string | null): string {
  if (!name) return '';
  if (name.length <= MAX_NAME_CHARACTERS && PLAIN.test(name)) return name;
  const clean = name.replace(UNWANTED, ' ').replace(/\s+/g, ' ').trim();
  const characters = [...clean];
  return characters.length <= MAX_NAME_CHARACTERS ? clean : characters.slice(0, MAX_NAME_CHARACTERS).join('').trim();
}

/** Takes "Ana" out of "Ana Maria Souza", "Souza, Ana Maria" and "Dr. Ana Souza". A name without spaces is kept whole. */
export function firstNameOf(name: string): string {
  const comma = name.indexOf(',');
  const given = comma < 0 ? name : name.slice(comma + 1).trim() || name.slice(0, comma);
  const words = given.split(' ');
  // A title ends with a full stop and is longer than an initial: "Dr." and "Prof." are titles, "J." is none.
  while (words.length > 1 && /^\p{L}{2,}\.$/u.test(words[0] ?? '')) words.shift();
  return words[0] ?? '';
}
