import { countSegments } from '#domain/message/segments.ts';

/** A name shorter than this tells nobody which message is meant; for it a second SMS is paid. */
const LEAST = 16;
/** As much of a message's text as anybody needs to know it again. */
const MOST = 60;
/** What word processors and phones put for these, each of which would make the whole SMS cost double. */
const PLAIN: Readonly<Record<string, string>> = { '‘': "'", '’': "'", '“': "'", '”': "'", '«': "'", '»': "'", '–': '-', '—': '-', '…': '...', '\u00A0': ' ' };

const isGsm = (text: string): boolean => countSegments(text).encoding === 'GSM-7';

/** In letters that cost nothing extra, as far as its script has them. */
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

/** The first words of `name`, `letters` long at most, with three dots where something is left out. */
function firstWords(name: string, letters: number): string {
  const all = [...name];
  if (all.length <= letters) return name;
  const cut = all.slice(0, Math.max(1, letters - 3)).join('');
  const end = cut.lastIndexOf(' ');
  // A single long word, or a script without spaces, is cut where it stands.
  return `${(end >= cut.length / 2 ? cut.slice(0, end) : cut).replace(/[\s.,;:!?-]+$/, '')}...`;
}

/**
 * An SMS that says which message it is about, by as much of its name as costs no further segment.
 * @param say the whole SMS with this name in it; '' for none
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
