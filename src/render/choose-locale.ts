import { languageOf } from './words.ts';

/**
 * Chooses which of a message's locales a person reads: the exact one, then the same language ("de-AT" -> "de", "pt" ->
 * "pt-BR"), then the message's fallback.
 * @returns a key of `text`
 */
export function chooseLocale(text: Readonly<Record<string, string>>, fallback: string, wanted: string | null | undefined): string {
  const keys = Object.keys(text);
  if (wanted) {
    const tag = wanted.replaceAll('_', '-').toLowerCase();
    const language = languageOf(tag);
    const found =
      keys.find((key) => key.toLowerCase() === tag) ?? keys.find((key) => key.toLowerCase() === language) ?? keys.find((key) => languageOf(key) === language);
    if (found !== undefined) return found;
  }
  return fallback in text ? fallback : (keys[0] ?? fallback);
}
