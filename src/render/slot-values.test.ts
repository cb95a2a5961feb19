import { describe, expect, it, test } from 'vitest';
import { cleanName, firstNameOf, linkLength, slotValues } from './slot-values.ts';

const token = 'a'.repeat(23);

describe('slotValues', () => {
  it('makes links of tokens', () => {
    const values = slotValues({ name: 'Ana Souza', publicUrl: 'https://m.example/', answerToken: token, shareToken: token, unsubscribeToken: token });
    expect(values).toEqual({
      name: 'Ana Souza',
      firstName: 'Ana',
      link: `https://m.example/r/${token}`,
      shareLink: `https://m.example/s/${token}`,
      unsubscribeLink: `https://m.example/u/${token}`,
    });
    expect(values.link).toHaveLength(linkLength('https://m.example/'));
  });

  it('leaves out what is not given', () => {
    expect(slotValues({ name: null, publicUrl: 'https://m.example', answerToken: token })).toEqual({
      name: '',
      firstName: '',
      link: `https://m.example/r/${token}`,
    });
  });
});

test.each([
  ['Ana Souza', 'Ana Souza'],
  ['  Ana \t Souza ', 'Ana Souza'],
  ['Ana\r\nBcc: x@example.test', 'Ana Bcc: x@example.test'],
  ['Ana\u202egnp.exe', 'Ana gnp.exe'],
  ['\u0000\u0007', ''],
  ['x'.repeat(100), 'x'.repeat(40)],
  ['😀'.repeat(50), '😀'.repeat(40)],
  ['José Ñáñez', 'José Ñáñez'],
  ['محمد', 'محمد'],
  [null, ''],
])('cleanName(%j)', (name, clean) => {
  expect(cleanName(name)).toBe(clean);
});

test.each([
  ['Ana Maria Souza', 'Ana'],
  ['Souza, Ana Maria', 'Ana'],
  ['Dr. Ana Souza', 'Ana'],
  ['Prof. Dr. Ana Souza', 'Ana'],
  ['J. Smith', 'J.'],
  ['山田太郎', '山田太郎'],
  ['Cher', 'Cher'],
  ['', ''],
])('firstNameOf(%j)', (name, first) => {
  expect(firstNameOf(name)).toBe(first);
});
