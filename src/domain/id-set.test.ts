import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IdSet } from './id-set.ts';

test('holds what was added and nothing else, at page and word edges and for large ids', () => {
  const id = fc.oneof(fc.nat({ max: 100 }), fc.constantFrom(31, 32, 32_767, 32_768, 2 ** 39), fc.nat({ max: 2 ** 31 }));
  fc.assert(
    fc.property(fc.array(id), fc.array(id), (added, asked) => {
      const set = new IdSet();
      for (const one of added) set.add(String(one));
      for (const one of [...added, ...asked]) expect(set.has(String(one))).toBe(added.includes(one));
    }),
  );
});
