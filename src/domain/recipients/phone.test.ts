import { expect, test } from 'vitest';
import { isCountry, readPhone } from './phone.ts';

test.each([
  ['+1 (415) 555-0100', 'US', '+14155550100'],
  ['415.555.0100', 'US', '+14155550100'],
  ['0151 23456789', 'DE', '+4915123456789'],
  ['+49 (0)151 23456789', 'US', '+4915123456789'],
  ['0039 347 123 4567', 'DE', '+393471234567'],
  ['06 12 34 56 78', 'FR', '+33612345678'],
] as const)('%s in %s is %s', (text, country, e164) => {
  expect(readPhone(text, country)).toEqual({ e164 });
});

test.each(['12', '555-0100', 'call +14155550100 now', '+999123456', '+1415555010', '+141555501000', '0000000000', '+14155550100 ext 5', '', '+1'.repeat(30)])(
  '%s is refused',
  (text) => {
    expect(readPhone(text, 'US')).toHaveProperty('problem');
  },
);

test('a number that no plan assigns yet is kept with a doubt, and so is a landline', () => {
  expect(readPhone('+15550001001', 'US')).toEqual({ e164: '+15550001001', doubt: 'unassigned' });
  expect(readPhone('030 901820', 'DE')).toEqual({ e164: '+4930901820', doubt: 'landline' });
});

test('countries are ISO codes with a numbering plan', () => {
  expect(['US', 'DE', 'XX', 'us', ''].map(isCountry)).toEqual([true, true, false, false, false]);
});
