import { BoundedMap } from './bounded-map.ts';

/** Locales times zones in use at a time; a format takes some 30 kB. */
const KEPT = 200;

/**
 * Formats of one shape, made once per locale and zone: making an `Intl.DateTimeFormat` takes some 80 µs, more than the
 * rest of an answer page. Throws RangeError for a zone that the runtime does not know.
 */
export function dateFormats(shape: Intl.DateTimeFormatOptions): (locale: string, timeZone: string) => Intl.DateTimeFormat {
  const made = new BoundedMap<string, Intl.DateTimeFormat>(KEPT);
  return (locale, timeZone) => {
    const key = `${locale} ${timeZone}`;
    let format = made.get(key);
    if (!format) {
      format = new Intl.DateTimeFormat(locale, { ...shape, timeZone });
      made.set(key, format);
    }
    return format;
  };
}
