import fc from 'fast-check';
import { getCountries, getCountryCallingCode, getExampleNumber } from 'libphonenumber-js/max';
import examples from 'libphonenumber-js/examples.mobile.json' with { type: 'json' };
import { expect, test } from 'vitest';
import { readByLibrary, readPhone } from './phone.ts';
import { planVerdict } from './phone-plan.ts';

const CODES = [...new Set(getCountries().map((country) => getCountryCallingCode(country)))];
const EXAMPLES = getCountries().flatMap((country) => getExampleNumber(country, examples)?.number ?? []);
const digits = (min: number, max: number) => fc.array(fc.integer({ min: 0, max: 9 }), { minLength: min, maxLength: max }).map((list) => list.join(''));

/** Checks that the library and the compiled tables agree on everything that is said of this number. */
const agree = (text: string): void => expect([text, readPhone(text, 'US')]).toEqual([text, readByLibrary(text, 'US')]);

test('the compiled tables say what the library says: any digits after any calling code', () => {
  fc.assert(
    fc.property(fc.constantFrom(...CODES), digits(4, 12), (code, national) => {
      agree(`+${code}${national}`);
    }),
    { numRuns: 4_000 },
  );
});

test('and for numbers near to real ones: an example of each country with digits changed, added or taken away', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...EXAMPLES),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 9 })), { maxLength: 4 }),
      fc.integer({ min: -2, max: 2 }),
      (example, changes, longer) => {
        const all = [...example];
        for (const [back, digit] of changes) if (all.length - 1 - back > 0) all[all.length - 1 - back] = String(digit);
        const text = longer < 0 ? all.slice(0, longer).join('') : all.join('') + '7'.repeat(longer);
        agree(text);
      },
    ),
    { numRuns: 4_000 },
  );
});

test('and whatever people put between the digits', () => {
  const between = fc.array(fc.constantFrom('', '', '', ' ', '-', '.', '(', ')', ' (', ') ', '(0)', '  '), { minLength: 18, maxLength: 18 });
  fc.assert(
    fc.property(fc.constantFrom(...EXAMPLES), between, (example, marks) => {
      agree([...example].map((digit, i) => (i === 0 ? digit : digit + (marks[i] ?? ''))).join(''));
    }),
    { numRuns: 4_000 },
  );
});

test('and for every start of four digits in every country', () => {
  for (const example of EXAMPLES) {
    const code = CODES.find((one) => example.startsWith(`+${one}`)) ?? '';
    const national = example.slice(1 + code.length);
    const numbers = Array.from({ length: 323 }, (_, i) => `+${code}${String(i * 31).padStart(4, '0')}${national.slice(4)}`);
    expect(numbers.map((number) => readPhone(number, 'US'))).toEqual(numbers.map((number) => readByLibrary(number, 'US')));
  }
});

test('real numbers are read without the library, save where a national prefix may have to go', () => {
  const unread = EXAMPLES.filter((number) => planVerdict(number) === undefined);
  expect(EXAMPLES.length).toBeGreaterThan(230);
  expect(unread.length).toBeLessThan(EXAMPLES.length / 20);
});
