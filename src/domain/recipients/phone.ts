import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { bareNumber, planVerdict } from './phone-plan.ts';

export type PhoneReading =
  /** A number with a `doubt` is well formed, but the numbering plans known here do not say that it can take an SMS. */
  { readonly e164: string; readonly doubt?: 'unassigned' | 'landline' } | { readonly problem: string };

/** True for an ISO 3166-1 code that has a numbering plan. */
export const isCountry = (text: string): text is CountryCode => isSupportedCountry(text);

/**
 * Reads a telephone number as people write it, and gives it in E.164.
 *
 * A number is refused that no plan can have (its length is wrong, its country unknown). A well-formed number of a range that
 * nobody has assigned yet is kept with a doubt, since plans change faster than any table of them, and leaving out a person
 * costs more than one failed text. A number in international writing takes 1 us; any other goes through the library, which
 * takes 10 to 30 us.
 *
 * @param country the ISO 3166-1 code of numbers that are written without +
 */
export function readPhone(text: string, country: CountryCode): PhoneReading {
  const e164 = bareNumber(text);
  const verdict = e164 === undefined ? undefined : planVerdict(e164);
  if (e164 === undefined || verdict === undefined) return readByLibrary(text, country);
  if (verdict === 'reachable') return { e164 };
  if (verdict === 'landline') return { e164, doubt: 'landline' };
  // A number outside its plan is rare, and the library says why it is.
  return verdict === 'unassigned' && !OUTSIDE_NANPA.test(e164) ? { e164, doubt: 'unassigned' } : readByLibrary(text, country);
}

/** Area codes of the North American plan start with 2 to 9, which the tables of lengths do not say. */
const OUTSIDE_NANPA = /^\+1[01]/;

export function readByLibrary(text: string, country: CountryCode): PhoneReading {
  // A dial string of more than 15 digits (ITU-T E.164 section 6) with any punctuation stays below this.
  if (text.length > 40) return { problem: 'is longer than any telephone number' };
  // Only national writing needs the trunk zero and the default country. People write +49 (0)151 so often that it is read too.
  const parsed = parsePhoneNumberFromString(text.replace(/^(\+\d[\d\s.-]*)\(0\)/, '$1'), { defaultCountry: country, extract: false });
  if (!parsed) return { problem: 'is not a telephone number' };
  if (parsed.ext !== undefined) return { problem: 'has an extension, which no text can reach' };
  // One look at the type serves both questions: isValid() and isPossible() would each search the plan again, 13 us instead of 8.
  const type = parsed.getType();
  if (type !== undefined) return type === 'FIXED_LINE' ? { e164: parsed.number, doubt: 'landline' } : { e164: parsed.number };
  if (!parsed.isPossible() || OUTSIDE_NANPA.test(parsed.number)) return { problem: `is no possible number of country code +${parsed.countryCallingCode}` };
  return { e164: parsed.number, doubt: 'unassigned' };
}
