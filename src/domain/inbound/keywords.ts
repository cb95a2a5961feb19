/**
 * Words by which a person ends texts, asks for help or starts texts again. The lists are Twilio's defaults for long codes,
 * the CTIA set, and the words of 47 CFR 64.1200(a)(10), with the usual words of a few more languages.
 */
const STOP = [
  ...['stop', 'stopall', 'stop all', 'unsubscribe', 'end', 'quit', 'cancel', 'revoke', 'optout', 'opt out', 'opt-out'],
  ...['stopp', 'abmelden', 'abbestellen', 'arret', 'arreter', 'desabonner', 'alto', 'baja', 'cancelar', 'parar', 'detener'],
];
const HELP = ['help', 'info', 'hilfe', 'aide', 'ayuda', 'ajuda'];
const START = ['start', 'unstop'];

/** These are clear wishes to stop. Together with polite words alone they go to a person, who honours them. */
const STRONG = new Set(['stop', 'stopp', 'unsubscribe', 'optout', 'quit', 'remove', 'unsub', 'stopall']);
const COMPANY = new Set(
  'please pls plz now it this that these me us all texting texts text messages message messaging msgs sms sending send calling contacting from to my number list off the your thanks thank you and i want would like bitte sofort merci svp por favor ya'.split(
    ' ',
  ),
);

export type Keyword =
  | 'stop'
  | 'help'
  | 'start'
  /** It means START only where no message is open; with an open message it is an answer. */
  | 'yes'
  /** A wish that is not exact, such as "stop please", so that a person decides. */
  | 'near_stop'
  | null;

/** Writes a text in lower case, without accents, with single spaces, and without punctuation or quotes around the whole. */
const fold = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .replace(/^[\s\p{P}]+|[\s\p{P}]+$/gu, '');

const WORDS = new Map<string, Keyword>([
  ...STOP.map((word) => [word, 'stop'] as const),
  ...HELP.map((word) => [word, 'help'] as const),
  ...START.map((word) => [word, 'start'] as const),
  ['yes', 'yes'],
]);

/**
 * Finds the reserved word that the whole trimmed text is, in any case of its letters. A reserved word inside a sentence does
 * not count: "We have got to STOP this bill" is no opt-out, and "End of the road, 10 min" is an answer.
 */
export function keywordOf(text: string): Keyword {
  const folded = fold(text);
  const exact = WORDS.get(folded);
  if (exact) return exact;
  const words = folded.split(/[^\p{L}\p{N}']+/u).filter(Boolean);
  if (words.length > 1 && words.length <= 8 && words.some((word) => STRONG.has(word)) && words.every((word) => STRONG.has(word) || COMPANY.has(word)))
    return 'near_stop';
  return null;
}
