import fc from 'fast-check';
import { stringify } from 'csv-stringify/sync';
import { describe, expect, test } from 'vitest';
import { MAX_LINE } from './line-splitter.ts';
import { type FileRow, readerFor } from './recipient-file.ts';

function read(format: 'csv' | 'ndjson', text: string, piece = text.length || 1): FileRow[] {
  const reader = readerFor(format);
  const rows: FileRow[] = [];
  for (let at = 0; at < text.length; at += piece) rows.push(...reader.push(text.slice(at, at + piece)));
  return [...rows, ...reader.end()];
}
const brief = (rows: FileRow[]) => rows.map((row) => ('raw' in row ? [row.line, row.raw.name] : [row.line, row.error.code]));

describe('CSV', () => {
  test('whatever a CSV writer writes is read back, however it is cut into pieces', () => {
    // CR alone is left out, since a reader of lines cannot tell it from half a line break at the end of a piece.
    const cell = fc.string({ unit: fc.constantFrom('a', 'ü', '😀', '"', ',', ';', '\n', ' ', '='), maxLength: 8 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ phone: cell.map((text) => `p${text}`), name: cell }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom('\n', '\r\n'),
        (people, piece, end) => {
          const text = stringify(people, { header: true, columns: ['phone', 'name'], quoted: true, record_delimiter: end });
          const rows = read('csv', text, piece);
          expect(rows.map((row) => ('raw' in row ? row.raw : row.error))).toEqual(people);
          let line = 2;
          for (const [i, person] of people.entries()) {
            expect(rows[i]?.line).toBe(line);
            line += 1 + (person.phone + person.name).split('\n').length - 1;
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a quote that is never closed costs its own row alone, wherever it stands', () => {
    expect(brief(read('csv', 'name,phone\na,1\n"b,2\nc,3\n"d",4\ne,5\n'))).toEqual([
      [2, 'a'],
      [3, 'bad_quotes'],
      [4, 'c'],
      [5, 'd'],
      [6, 'e'],
    ]);
    expect(brief(read('csv', 'name,phone\n"a,1\nb,"2\nc,3\n"d\nd",4'))).toEqual([
      [2, 'bad_quotes'],
      [3, 'bad_quotes'],
      [4, 'c'],
      [5, 'd\nd'],
    ]);
    expect(brief(read('csv', `name,phone\n"a,1\n${'b,2\n'.repeat(50)}`))).toEqual([[2, 'bad_quotes'], ...Array.from({ length: 50 }, (_, i) => [3 + i, 'b'])]);
    expect(brief(read('csv', 'name,phone\nx"y"z,1\n"x"y,2\nb,3\n'))).toEqual([
      [2, 'bad_quotes'],
      [3, 'bad_quotes'],
      [4, 'b'],
    ]);
  });

  test('too few or too many fields are refused, empty ones at the end are not', () => {
    expect(brief(read('csv', 'name,phone,,\na,1\nb\nc,3,4\nd,4,,,\n,,,\n;;\n'))).toEqual([
      [2, 'a'],
      [3, 'wrong_columns'],
      [4, 'wrong_columns'],
      [5, 'd'],
    ]);
  });

  test('a line of a megabyte is refused without being kept, and the next one is read', () => {
    expect(brief(read('csv', `name,phone\n${'x'.repeat(1_000_000)}\nb,2\n`, 10_000))).toEqual([
      [2, 'too_long'],
      [3, 'b'],
    ]);
    expect(brief(read('ndjson', `${'x'.repeat(MAX_LINE + 1)}`, 1_000))).toEqual([[1, 'too_long']]);
  });

  test('old line breaks of CR alone', () => {
    expect(brief(read('csv', 'name,phone\ra,1\rb,2\r'))).toEqual([
      [2, 'a'],
      [3, 'b'],
    ]);
  });
});
