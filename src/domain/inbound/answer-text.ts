import type { AnswerOption } from '#schemas/message.ts';
import { type Eta, findEta } from './eta-text.ts';

/**
 * What a reply says. `note` is the rest of the text as written; it is kept whole wherever it holds more than a time, and the
 * time in it is read all the same. A person reads what is `unclear`: nothing is guessed, and nothing in doubt becomes a yes.
 */
export type ParsedAnswer =
  | ({ readonly kind: 'answer'; readonly key: string; readonly note: string | null } & Eta)
  | { readonly kind: 'unclear'; readonly reason: 'no_option' | 'two_options' | 'doubt' };

const YES = new Set('y yes yeah yep yup yea ye aye sure ja oui si sim da tak evet ano igen kylla نعم כן'.split(' '));
const NO = new Set('n no nope nah nay nein non nao niet nei nej nie hayir ei لا לא'.split(' '));

/** These words say nothing where they stand before an answer. */
const GREETINGS = new Set('hi hello hey sorry ok okay thanks hallo hola bonjour pardon answer option number reply my is the'.split(' '));
/** These words make a condition or a doubt of a yes. */
const DOUBT = new Set(
  "not no nope cannot cant can't wont won't dont don't unable never unless if maybe perhaps might but except without depends unsure probably possibly hopefully nicht aber wenn vielleicht pas mais peut-etre quiza quizas pero si".split(
    ' ',
  ),
);
/** A no before one of these words is none, as in "no problem". */
const NO_BUT_YES = new Set('problem problems prob probs worries worry doubt stress'.split(' '));

const fold = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replaceAll('’', "'")
    .toLowerCase();
const wordsOf = (text: string): string[] => fold(text).match(/[\p{L}\p{N}_'-]+/gu) ?? [];

interface Choice {
  readonly option: AnswerOption;
  /** The index in the text where its number, word or label ends. */
  readonly end: number;
}

/** A word with its place in the original text. */
interface Word {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const split = (text: string): Word[] =>
  [...text.matchAll(/[\p{L}\p{M}\p{N}_'’-]+/gu)].map((m) => ({ text: fold(m[0]), start: m.index, end: m.index + m[0].length }));

/**
 * Reads an SMS reply against the answers of its message. An answer is named by its number ("1"), its key, its label, a
 * beginning of either, or a plain yes or no where one option says that. A time may follow: "Y 30", "yes in 2 hours",
 * "A RV 13:45", "no but 18:00".
 */
export function parseAnswerText(text: string, options: readonly AnswerOption[]): ParsedAnswer {
  // "Y30" is read as "Y 30", unless it is a key.
  const trimmed = options.some((o) => o.key === fold(text.trim())) ? text.trim() : text.trim().replace(/^(\p{L})(?=\d)/u, '$1 ');
  const words = split(trimmed);
  const whole = options.filter((o) => fold(o.label) === fold(trimmed).replace(/[\s\p{P}]+$/u, '') || o.key === fold(trimmed));
  if (whole.length === 1 && whole[0]) return { kind: 'answer', key: whole[0].key, note: null };
  while (words[0] && words.length > 1 && GREETINGS.has(words[0].text) && matches(words[0].text, options).length === 0) words.shift();
  const found = choose(words, options);
  if (found.length === 0) return { kind: 'unclear', reason: 'no_option' };
  const choice = found[0];
  if (!choice || found.length > 1) return { kind: 'unclear', reason: 'two_options' };
  const rest = trimmed
    .slice(choice.end)
    .replace(/^[\s.,:;!)"'#–-]+/u, '')
    .trim();
  return judge(choice.option, rest, options);
}

function judge(option: AnswerOption, rest: string, options: readonly AnswerOption[]): ParsedAnswer {
  if (rest === '' || /^[\p{P}\p{S}\s]*$/u.test(rest.replaceAll('?', '')))
    return rest.includes('?') ? { kind: 'unclear', reason: 'doubt' } : { kind: 'answer', key: option.key, note: rest || null };
  const restWords = wordsOf(rest);
  if (namesAnother(option, restWords, options)) return { kind: 'unclear', reason: 'two_options' };
  if (fold(rest).replace(/[\s\p{P}]+$/u, '') === fold(option.label)) return { kind: 'answer', key: option.key, note: null };
  if (isNo(option) && NO_BUT_YES.has(restWords[0] ?? '')) return { kind: 'unclear', reason: 'doubt' };
  if (!isNo(option) && restWords.some((word) => DOUBT.has(word))) return { kind: 'unclear', reason: 'doubt' };
  const eta = findEta(rest);
  const { whole, ...times } = eta;
  return { kind: 'answer', key: option.key, ...times, note: whole ? null : rest };
}

/** Finds the options that the words begin with. The longest label wins over a shorter beginning. */
function choose(words: readonly Word[], options: readonly AnswerOption[]): Choice[] {
  const first = words[0];
  if (!first) return [];
  const byLabel = options.flatMap((option) => {
    const label = wordsOf(option.label);
    const end = words[label.length - 1]?.end;
    return label.length > 0 && end !== undefined && label.every((word, i) => words[i]?.text === word) ? [{ option, end, length: label.length }] : [];
  });
  const longest = Math.max(0, ...byLabel.map((c) => c.length));
  if (longest > 0) return byLabel.filter((c) => c.length === longest);
  return matches(first.text, options).map((option) => ({ option, end: first.end }));
}

/** Finds the options that one word may mean: by an exact key or number first, then by a plain yes or no and by a beginning. */
function matches(word: string, options: readonly AnswerOption[]): AnswerOption[] {
  const exact = options.filter((o) => o.key === word);
  if (exact.length > 0) return exact;
  const byNumber = numbered(options) ? options[Number(word) - 1] : undefined;
  if (/^[1-9]$/.test(word)) return byNumber ? [byNumber] : [];
  const beginning = isBeginning(word) ? options.filter((o) => o.key.startsWith(word) || (word.length > 1 ? wordsOf(o.label)[0]?.startsWith(word) : false)) : [];
  const plain = YES.has(word.replace(/^yes+$/, 'yes')) ? options.filter(isYes) : NO.has(word.replace(/^no+$/, 'no')) ? options.filter(isNo) : [];
  return [...new Set([...plain, ...beginning])];
}

/**
 * Whether a word is long enough to be the beginning of an answer: one letter, or four and more. "i" and "a" are words of their
 * own, and "can" must not begin "cannot".
 */
const isBeginning = (word: string): boolean => (word.length === 1 ? !'ai'.includes(word) : word.length >= 4);

/** Keys that are numbers themselves are shown as they are, so that no number means two things. */
const numbered = (options: readonly AnswerOption[]): boolean => !options.some((o) => /^[0-9]+$/.test(o.key));

const isYes = (option: AnswerOption): boolean => YES.has(option.key) || YES.has(wordsOf(option.label)[0] ?? '');
const isNo = (option: AnswerOption): boolean => NO.has(option.key) || (NO.has(wordsOf(option.label)[0] ?? '') && option.counts !== true);

/** Whether a second option stands in the rest, as in "yes no", "1 or 2", "1,2" and "yes later". */
function namesAnother(option: AnswerOption, rest: readonly string[], options: readonly AnswerOption[]): boolean {
  const meaning = rest.filter((word) => !['or', 'and', 'then', 'oder', 'und', 'ou', 'et', 'o', 'y'].includes(word));
  const others = options.filter((o) => o !== option);
  const alone = meaning.length === 1 ? meaning[0] : undefined;
  if (meaning.length > 0 && meaning.every((word) => /^[1-9]$/.test(word))) return meaning.some((word) => matches(word, options).some((o) => o !== option));
  return others.some(
    (o) =>
      (o.key.length > 1 || alone !== undefined ? meaning.includes(o.key) : false) ||
      (isYes(o) && meaning.some((word) => word.length > 1 && word !== 'si' && YES.has(word))) ||
      ` ${rest.join(' ')} `.includes(` ${wordsOf(o.label).join(' ')} `),
  );
}
