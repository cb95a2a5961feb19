import { html } from 'hono/html';
import { WORDING_PARTS, type WordingInput, type WordingPart } from '#schemas/wording.ts';
import type { Form } from '#web/console/shell/form.ts';
import { type FormError, type Html, input } from '#web/console/shell/parts.ts';

/** The text in one language, and what a life message must say beside it. */
export interface ComposeText {
  locale: string;
  text: string;
  says: Record<WordingPart, string>;
}

export const NO_WORDS: Readonly<Record<WordingPart, string>> = { who: '', where: '', instruction: '', issuer: '' };
export const emptyText = (locale: string): ComposeText => ({ locale, text: '', says: { ...NO_WORDS } });

const fieldId = (part: WordingPart, row: number): string => `says-${part}-${row}`;

export const readSays = (form: Form, row: number): Record<WordingPart, string> => ({
  who: form.get(fieldId('who', row)),
  where: form.get(fieldId('where', row)),
  instruction: form.get(fieldId('instruction', row)),
  issuer: form.get(fieldId('issuer', row)),
});

/** The words per language as the verb takes them. What is empty is left to the organisation's own words. */
export function saysInput(texts: readonly ComposeText[]): WordingInput {
  const parts = WORDING_PARTS.flatMap((part) => {
    const words = texts.flatMap(({ locale, text, says }) => (text === '' || says[part] === '' ? [] : [[locale, says[part]] as const]));
    return words.length === 0 ? [] : [[part, Object.fromEntries(words)] as const];
  });
  return Object.fromEntries(parts);
}

/** Leads to the first language that lacks the part, since a refusal speaks of what is missing. */
export function saysFieldId(texts: readonly ComposeText[], name: string): string {
  const part = WORDING_PARTS.find((one) => one === name) ?? 'who';
  const row = texts.findIndex((text) => text.says[part] === '');
  return fieldId(part, Math.max(0, row));
}

export const SAYS_LABELS: Readonly<Record<WordingPart, string>> = { who: 'Who is meant', where: 'Where', instruction: 'What to do', issuer: 'Who issues it' };
/** The organisation's word for a part, in this language where it has one per language; '' where it has none. */
export const standingWord = (says: WordingInput, part: WordingPart, locale?: string): string => {
  const word = says[part];
  return (typeof word === 'object' ? word[locale ?? ''] : word) ?? '';
};

/** Shows the fields that only life messages have. `standing` is what the organisation says where a field is left empty. */
export function saysFields({ locale, says }: ComposeText, row: number, standing: WordingInput, errors: readonly FormError[]): Html {
  const part = (name: WordingPart): Html => {
    const word = standingWord(standing, name, locale);
    return input({ id: fieldId(name, row), label: SAYS_LABELS[name], value: says[name], errors, ...(word ? { hint: `Empty: ${word}` } : {}) });
  };
  return html`<div class="stack tight only-life" role="group" aria-labelledby="says-title-${row}">
    <b id="says-title-${row}">A life safety message must say</b>
    <p class="hint">What the text has word for word is not said twice; the rest stands below it in every channel, and until when it holds. Settings has words for all messages.</p>
    ${part('instruction')} ${part('where')} ${part('who')} ${part('issuer')}
  </div>`;
}
