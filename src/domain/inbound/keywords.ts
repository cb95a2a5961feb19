/**
 * Words with which a person steers the texts themselves. The lists are Twilio's defaults for long codes, the CTIA set,
 * and the per-se words of 47 CFR 64.1200(a)(10), with the usual words of a few more languages.
 */
const STOP = [
  ...['stop', 'stopall', 'stop all', 'unsubscribe', 'end', 'quit', 'cancel', 'revoke', 'optout', 'opt out', 'opt-out'],
  ...['stopp', 'abmelden', 'abbestellen', 'arret', 'arreter', 'desabonner', 'alto', 'baja', 'cancelar', 'parar', 'detener'],
];
const HELP = ['help', 'info', 'hilfe', 'aide', 'ayuda', 'ajuda'];
const START = ['start', 'unstop'];

/** Clear wishes to stop; in company of polite words alone they go to a human, who honours them. */
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
  /** START only where nothing is open: with an open message it is an answer. */
  | 'yes'
  /** "stop please": not exact, so a human decides. */
  | 'near_stop'
  | null;

/** Lower case, no accents, single spaces, no punctuation or quotes around the whole. */
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
 * The reserved word that the whole trimmed text is, case-blind. A reserved word inside a sentence is none: "We have got
 * to STOP this bill" is no opt-out, and "End of the road, 10 min" is an answer.
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
