import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonFault } from './json-fault.ts';

test.each([
  ['{"a": tru }', 6, 'value'],
  ['{"a":1,}', 7, 'key'],
  ['[1,2', 4, ', or ]'],
  ['{"a" 1}', 5, ':'],
  ['{} x', 3, 'end'],
  ['', 0, 'value'],
  ['{a:1}', 1, 'key or }'],
  ['[01]', 1, 'value or ]'],
  ['{"a":"b\nc"}', 5, 'value'],
])('%j stops being JSON at %i', (text, position, expected) => {
  expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
  expect(jsonFault(text)).toMatchObject({ position, expected });
});

test('lines and columns are counted from 1', () => {
  expect(jsonFault('{\n  "a": 1,\n  b: 2\n}')).toMatchObject({ line: 3, column: 3 });
});

test('it finds a fault exactly where JSON.parse refuses', () => {
  const damaged = fc.tuple(fc.json(), fc.nat(), fc.constantFrom('', '"', ',', '}', '\\', 'x', '0', ' ')).map(([text, at, put]) => {
    const i = at % (text.length + 1);
    return text.slice(0, i) + put + text.slice(i + 1);
  });
  fc.assert(
    fc.property(damaged, (text) => {
      let valid = true;
      try {
        JSON.parse(text);
      } catch {
        valid = false;
      }
      expect(jsonFault(text) === undefined).toBe(valid);
    }),
    { numRuns: 2000 },
  );
});
