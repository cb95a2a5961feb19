import { countSegments } from '#domain/message/segments.ts';

/** A shorter name tells nobody which message is meant, so that a second SMS is paid for this many letters. */
const LEAST = 16;
/** Nobody needs more of a message's text to know it again. */
const MOST = 60;
/** Word processors and phones write these characters, each of which would make the whole SMS cost double. */
const PLAIN: Readonly<Record<string, string>> = { '‘': "'", '’': "'", '“': "'", '”': "'", '«': "'", '»': "'", '–': '-', '—': '-', '…': '...', '\u00A0': ' ' };

const isGsm = (text: string): boolean => countSegments(text).encoding === 'GSM-7';

/** Writes a name in letters that cost nothing extra, as far as its script has them. */
const plain = (text: string): string =>
  [...text.normalize('NFC')]
    .map((letter) => {
      if (isGsm(letter)) return letter;
      const bare = PLAIN[letter] ?? letter.normalize('NFD').replaceAll(/\p{M}/gu, '');
      return isGsm(bare) ? bare : letter;
    })
    .join('')
    .replaceAll(/["\s]+/g, (found) => (found.includes('"') ? found.replaceAll('"', "'") : ' '))
    .trim();

/** Takes the first words of `name`, at most `letters` long, with three dots where something is left out. */
function firstWords(name: string, letters: number): string {
  const all = [...name];
  if (all.length <= letters) return name;
  const cut = all.slice(0, Math.max(1, letters - 3)).join('');
  const end = cut.lastIndexOf(' ');
  // A single long word, or a script without spaces, is cut where it stands.
  return `${(end >= cut.length / 2 ? cut.slice(0, end) : cut).replace(/[\s.,;:!?-]+$/, '')}...`;
}

/**
 * Makes an SMS that says which message it is about, by as much of the message's name as costs no further segment.
 * @param say makes the whole SMS with this name in it; '' for none
 */
export function nameInSms(name: string, say: (name: string) => string): string {
  const whole = firstWords(plain(name), MOST);
  if (whole === '') return say('');
  const { segments } = countSegments(say(''));
  for (let letters = [...whole].length; letters >= LEAST; letters--) {
    const text = say(firstWords(whole, letters));
    if (countSegments(text).segments <= segments) return text;
  }
  return say(firstWords(whole, 2 * LEAST));
}
