import type { Template } from '#domain/delivery/channel.ts';
import { parseTemplate } from '#domain/message/template.ts';
import { chooseLocale } from './choose-locale.ts';
import type { RenderInput } from './render-input.ts';
import { wordingLines } from './wording-lines.ts';
import { type Words, wordsFor } from './words.ts';

/** One locale's text, ready to be laid out for a channel. */
export interface Piece {
  readonly message: RenderInput;
  readonly locale: string;
  readonly words: Words;
  /** EXERCISE, CORRECTION and ALL CLEAR where they apply, otherwise ''. */
  readonly prefix: string;
  readonly text: Template;
  /** What must be said and the text does not say. */
  readonly said: readonly string[];
  readonly repeatCode: string;
}

/** Chooses the locale and says what stands before and after the coordinator's text. */
export function pieceOf(message: RenderInput, wanted: string): Piece {
  const locale = chooseLocale(message.text, message.fallbackLocale, wanted);
  const words = wordsFor(locale);
  const kind = message.kind === 'correction' ? words.correction : message.kind === 'all_clear' ? words.allClear : '';
  const written = (message.text[locale] ?? '').trim();
  // A text that already starts with the word EXERCISE does not get it twice.
  const text = message.drill ? written.replace(/^EXERCISE\b[\s:.!-]*/, '') : written;
  const repeatCode = message.class === 'life' && message.repeatCode ? (message.repeatCode.startsWith('#') ? message.repeatCode : `#${message.repeatCode}`) : '';
  return {
    message,
    locale,
    words,
    prefix: (message.drill ? words.exercise : '') + kind,
    text: parseTemplate(text),
    said: wordingLines(message, locale, words),
    repeatCode,
  };
}

/** Removes the first line of a text where it repeats the title, for channels where the title stands above the text anyway. */
export function withoutTitleLine(text: Template, title: string): Template {
  const first = text[0];
  if (typeof first !== 'string') return text;
  const end = first.indexOf('\n');
  if (end < 0 || first.slice(0, end).trim() !== title.trim()) return text;
  return [first.slice(end).trimStart(), ...text.slice(1)];
}
