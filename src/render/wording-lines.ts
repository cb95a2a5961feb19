import { knownZone } from '#domain/clock-time.ts';
import { dateFormats } from '#domain/date-formats.ts';
import type { WordingPart } from '#schemas/wording.ts';
import type { RenderInput } from './render-input.ts';
import type { Words } from './words.ts';

const untilFormat = dateFormats({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZoneName: 'short' });

/** The instruction comes first, and the place comes before the people, since they are often those at the place. */
const ORDER = ['instruction', 'where', 'who', 'issuer'] as const satisfies readonly WordingPart[];

/** Keeps letters and digits alone, between blanks, so that "River Road!" is found in "at river  road, north". */
const bare = (text: string): string =>
  ` ${text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()} `;

/**
 * Makes a line for each part of the wording (whom it means, where it is, what to do, who issues it) that does not stand in the
 * text already, word for word. What to do stands without a word before it.
 */
export function wordingLines({ said, text }: Pick<RenderInput, 'said' | 'text'>, locale: string, words: Words): string[] {
  const parts = said?.[locale] ?? {};
  const lines: string[] = [];
  let heard = bare(text[locale] ?? '');
  for (const part of ORDER) {
    const word = parts[part]?.trim();
    if (!word || heard.includes(bare(word))) continue;
    lines.push(part === 'instruction' ? word : `${words.said[part]}${word}`);
    heard += bare(word);
  }
  return lines;
}

/** Says until when a life message holds, for the channels whose layout does not say so anyway. */
export function untilLine({ class: messageClass, expiresAt, timeZone }: RenderInput, locale: string, words: Words): string | undefined {
  if (messageClass !== 'life' || expiresAt === null) return undefined;
  const time = untilFormat(locale, knownZone(timeZone))
    .format(expiresAt)
    .replace(/[\u202f\u00a0]/g, ' ');
  // "août" and "déc." lose their accents, since û is not in GSM-7 and would double the price of the SMS.
  return `${words.said.until}${/^\P{L}*(?:\p{Script=Latin}\P{L}*)*$/u.test(time) ? time.normalize('NFD').replace(/\p{M}/gu, '') : time}`;
}
