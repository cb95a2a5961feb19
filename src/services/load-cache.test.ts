import { expect, test } from 'vitest';
import { LoadCache } from './load-cache.ts';

function counted(answers: readonly (string | undefined | Error)[]) {
  let loads = 0;
  const load = () => {
    const answer = answers[loads++];
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return { load, loads: () => loads };
}

test('loads once for all who ask at the same time, and again after its lifetime or when the clock was put back', async () => {
  const cache = new LoadCache<string>(10, 2_000);
  const { load, loads } = counted(['one', 'two', 'three']);
  expect(await Promise.all([cache.get('k', 5_000, load), cache.get('k', 5_000, load), cache.get('k', 6_999, load)])).toEqual([
    'one',
    'one',
    'one',
  ]);
  expect(loads()).toBe(1);
  expect(await cache.get('k', 7_000, load)).toBe('two');
  expect(await cache.get('k', 6_999, load)).toBe('three');
});

test('keeps neither failures nor what is not there, and no more than its limit', async () => {
  const cache = new LoadCache<string>(1, Number.POSITIVE_INFINITY);
  const { load, loads } = counted([new Error('down'), undefined, 'there', 'other', 'again']);
  await expect(cache.get('k', 0, load)).rejects.toThrow('down');
  expect(await cache.get('k', 0, load)).toBeUndefined();
  expect(await cache.get('k', 0, load)).toBe('there');
  expect(await cache.get('k', 9e15, load)).toBe('there');
  expect(await cache.get('l', 0, load)).toBe('other');
  expect(await cache.get('k', 0, load)).toBe('again');
  expect(loads()).toBe(5);
});
