import { expect, test } from 'vitest';
import { type Candidate, firstWell, insteadOf } from './choose-sender.ts';

const one: Candidate = { id: 1, account: 1, well: true };
const two: Candidate = { id: 2, account: 1, well: true };
const three: Candidate = { id: 3, account: 2, well: true };
const ill = (sender: Candidate): Candidate => ({ ...sender, well: false });

test('a new message goes by the first sender that is well, or waits at the first', () => {
  expect(firstWell([one, two])).toBe(one);
  expect(firstWell([ill(one), two, three])).toBe(two);
  expect(firstWell([ill(one), ill(two)])?.id).toBe(1);
  expect(firstWell([])).toBeUndefined();
});

test('the other account goes before another number of the same one', () => {
  expect(insteadOf([one, two, three], 1)).toBe(three);
  expect(insteadOf([one, two, three], 3)).toBe(one);
  expect(insteadOf([one, two, ill(three)], 1)).toBe(two);
});

test('nobody stands in where nobody else is well', () => {
  expect(insteadOf([one], 1)).toBeUndefined();
  expect(insteadOf([one, ill(two), ill(three)], 1)).toBeUndefined();
  expect(insteadOf([ill(one), two], 2)).toBeUndefined();
});
