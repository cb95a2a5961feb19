import { expect, test } from 'vitest';
import { FIGURES, type Options, OptionsError, readOptions } from './options.ts';

const read = (...args: string[]): Options => {
  const options = readOptions(args);
  if (options === 'help') throw new Error('help was not asked for');
  return options;
};

test('a full run measures everything, a quick one channels and the first call within two minutes', () => {
  expect(read()).toMatchObject({ mode: 'full', figures: FIGURES, save: true, json: false });
  const quick = read('--quick');
  expect(quick.figures).toEqual(['throughput', 'firstCall']);
  expect(quick.budgetMs).toBeLessThan(120_000);
  expect(quick.sizes.rounds).toBeGreaterThanOrEqual(3);
  expect(quick.sizes.tries).toBeGreaterThanOrEqual(20);
});

test('sizes can be given, lists with a slash', () => {
  const { sizes } = read('--tiny', '--size', 'sms=10_000', '--size', 'paceWorkers=1/4');
  expect(sizes).toMatchObject({ sms: 10_000, paceWorkers: [1, 4] });
});

test('a tiny run is not kept', () => {
  expect(read('--tiny').save).toBe(false);
});

test.each([
  [['--size', 'letters=1'], /letters/],
  [['--size', 'sms=0'], /whole numbers/],
  [['--size', 'sms=3000000'], /whole numbers/],
  [['--size', 'sms'], /whole numbers/],
  [['--only', 'throughput,speed'], /speed/],
  [['--minutes', 'soon'], /minutes/],
  [['--fast'], /fast/],
])('%j is refused by name', (args, named) => {
  expect(() => readOptions(args)).toThrow(OptionsError);
  expect(() => readOptions(args)).toThrow(named);
});

test('help is not a run', () => {
  expect(readOptions(['--help'])).toBe('help');
});
