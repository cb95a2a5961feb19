import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/max';

export type PhoneReading =
  /** `doubt`: well formed, but the numbering plans known here do not say that it can take an SMS. */
  { readonly e164: string; readonly doubt?: 'unassigned' | 'landline' } | { readonly problem: string };

/** True for an ISO 3166-1 code that has a numbering plan. */
export const isCountry = (text: string): text is CountryCode => isSupportedCountry(text);

/**
 * Reads a telephone number as people write it into E.164.
 *
 * Refused is what can be no number of its plan (length, unknown country). A well-formed number whose range nobody has
 * assigned yet is kept with a doubt: plans change faster than any table of them, and leaving out a person costs more
 * than one failed text. About 13 us each.
 *
 * @param country ISO 3166-1 code for numbers written without +
 */
export function readPhone(text: string, country: CountryCode): PhoneReading {
  // A dial string of more than 15 digits (ITU-T E.164 section 6) with any punctuation stays below this.
  if (text.length > 40) return { problem: 'is longer than any telephone number' };
  // Only national writing needs the trunk zero and the default country; +49 (0)151 is written so often that it is read too.
  const parsed = parsePhoneNumberFromString(text.replace(/^(\+\d[\d\s.-]*)\(0\)/, '$1'), { defaultCountry: country, extract: false });
  if (!parsed) return { problem: 'is not a telephone number' };
  if (parsed.ext !== undefined) return { problem: 'has an extension, which no text can reach' };
  // One look at the type serves all: isValid() and isPossible() would each search the plan again (13 us instead of 8).
  const type = parsed.getType();
  if (type !== undefined) return type === 'FIXED_LINE' ? { e164: parsed.number, doubt: 'landline' } : { e164: parsed.number };
  // Area codes of the North American plan start with 2-9, which the table of lengths does not say.
  if (!parsed.isPossible() || (parsed.countryCallingCode === '1' && /^[01]/.test(parsed.nationalNumber)))
    return { problem: `is no possible number of country code +${parsed.countryCallingCode}` };
  return { e164: parsed.number, doubt: 'unassigned' };
}
