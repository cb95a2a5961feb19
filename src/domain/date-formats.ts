import { BoundedMap } from './bounded-map.ts';

/** So many pairs of locale and zone are in use at a time; a format takes some 30 kB. */
const KEPT = 200;

/**
 * Makes formats of one shape, once per locale and zone: making an `Intl.DateTimeFormat` takes some 80 µs, more than the rest
 * of an answer page.
 * @throws RangeError for a zone that the runtime does not know
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
