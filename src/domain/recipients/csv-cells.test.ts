import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainCells } from './csv-cells.ts';

/** What csv-parse makes of one row; undefined where it refuses it, or sees more than one row. */
function reference(text: string, delimiter: string): string[] | undefined {
  try {
    const rows = parse(text, { delimiter, record_delimiter: '\n', relax_column_count: true });
    return rows.length === 1 ? rows[0] : undefined;
  } catch {
    return undefined;
  }
}

const piece = fc.constantFrom('a', 'bc', '"', '""', ',', ',', ';', ' ', '\t', 'é', '😀', '');

test('what is read at all is read as csv-parse reads it, and only odd rows are left to it', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), fc.constantFrom(',', ';', '\t'), (pieces, delimiter) => {
      const text = pieces.join('');
      fc.pre(text !== '');
      const [own, theirs] = [plainCells(text, delimiter), reference(text, delimiter)];
      expect(own).toEqual(theirs);
    }),
    { numRuns: 10_000 },
  );
});

test('a line break inside quotes is part of the cell', () => {
  expect(plainCells('1,"two\nlines",3', ',')).toEqual(['1', 'two\nlines', '3']);
});
