import { parse } from 'csv-parse/sync';
import { plainCells } from './csv-cells.ts';
import { LineSplitter, type Line } from './line-splitter.ts';
import { type FieldIssue, RECIPIENT_COLUMNS, type RawFields, type RecipientColumn } from './recipient-fields.ts';

/** One row of a file as read, or why it could not be read. */
export type FileRow = { readonly line: number; readonly raw: RawFields } | { readonly line: number; readonly error: FieldIssue };

/** Reads pieces of a file's text into rows. A row that cannot be read never takes its neighbours with it. */
export interface FileReader {
  push(piece: string): FileRow[];
  /**
   * Gives the rows that were not complete before.
   * @throws HeaderError where the file holds no header
   */
  end(): FileRow[];
}

export type ImportFormat = 'csv' | 'ndjson';
export const readerFor = (format: ImportFormat): FileReader => (format === 'csv' ? new CsvReader() : new NdjsonReader());

/** The header row is missing, or names something that is no column, so that nothing of the file can be read. */
export class HeaderError extends Error {
  readonly code: string;
  /** The columns that are wrong, or `header`. */
  readonly fields: readonly string[];
  constructor(code: string, detail: string, fields: readonly string[] = ['header']) {
    super(detail);
    this.name = 'HeaderError';
    this.code = code;
    this.fields = fields;
  }
}

const isColumn = (name: string): name is RecipientColumn => (RECIPIENT_COLUMNS as readonly string[]).includes(name);

/** Reads `External ID`, `external-id` and `externalId` all as external_id. */
const columnName = (text: string): string =>
  text
    .trim()
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replace(/[\s-]+/g, '_')
    .toLowerCase();

const bad = (line: number, code: string, detail: string, field = 'row'): FileRow => ({ line, error: { field, code, detail } });
const OVERLONG = 'the line is longer than 65,536 characters';

/** Matches an empty line, and the rows of empty cells that spreadsheets leave at the end. */
const BLANK = /^[\s,;]*$/;

/** A quoted row may cover so many lines of the file. A quote that is open for longer is a mistake. */
const MAX_ROW_LINES = 20;

/**
 * Reads CSV (RFC 4180) with a header row. The lines are cut before they are parsed, so that a quote that is never closed
 * costs its own row alone, where a parser of the whole stream would swallow everything up to the next quote.
 */
class CsvReader implements FileReader {
  readonly #lines = new LineSplitter();
  #header: { delimiter: string; columns: RecipientColumn[] } | undefined;
  /** The lines of a row whose quote is still open. */
  #open: { first: number; texts: string[] } | undefined;

  push(piece: string): FileRow[] {
    return this.#take(this.#lines.push(piece));
  }

  end(): FileRow[] {
    const rows = this.#take(this.#lines.end());
    while (this.#open) this.#giveUp(rows, this.#open);
    if (!this.#header) throw new HeaderError('missing_header', 'the file is empty: it needs a header row with column names');
    return rows;
  }

  #take(lines: Line[]): FileRow[] {
    const rows: FileRow[] = [];
    let plain: { line: number; text: string }[] = [];
    const flush = () => {
      rows.push(...this.#parseMany(plain));
      plain = [];
    };
    for (const { line, text } of lines) {
      if (text === undefined) {
        rows.push(bad(line, 'too_long', OVERLONG));
      } else if (!this.#header) {
        if (text.trim() !== '') this.#header = readHeader(text);
      } else if (this.#open || oddQuotes(text)) {
        flush();
        this.#continue(rows, line, text);
      } else if (!BLANK.test(text)) plain.push({ line, text });
    }
    flush();
    return rows.sort((a, b) => a.line - b.line);
  }

  #continue(rows: FileRow[], line: number, text: string): void {
    if (!this.#open) {
      if (oddQuotes(text)) this.#open = { first: line, texts: [text] };
      else if (!BLANK.test(text)) rows.push(...this.#parseMany([{ line, text }]));
      return;
    }
    const open = this.#open;
    open.texts.push(text);
    if (oddQuotes(text)) {
      const [row] = this.#parseMany([{ line: open.first, text: open.texts.join('\n') }]);
      if (row && 'raw' in row) {
        this.#open = undefined;
        rows.push(row);
      } else this.#giveUp(rows, open);
    } else if (open.texts.length >= MAX_ROW_LINES) this.#giveUp(rows, open);
  }

  /** Reports the first line as the broken one, and reads the others as rows of their own. */
  #giveUp(rows: FileRow[], open: { first: number; texts: string[] }): void {
    this.#open = undefined;
    rows.push(bad(open.first, 'bad_quotes', 'a quote is opened and never closed, or stands inside a field without being doubled'));
    for (const [i, text] of open.texts.slice(1).entries()) this.#continue(rows, open.first + 1 + i, text);
  }

  #parseMany(texts: { line: number; text: string }[]): FileRow[] {
    if (texts.length === 0 || !this.#header) return [];
    const { delimiter, columns } = this.#header;
    return texts.map(({ line, text }) => toRow(line, plainCells(text, delimiter) ?? oneRow(text, delimiter), columns));
  }
}

function oddQuotes(text: string): boolean {
  let odd = false;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) odd = !odd;
  return odd;
}

function parseCsv(text: string, delimiter: string): string[][] | undefined {
  try {
    return parse(text, { delimiter, record_delimiter: '\n', relax_column_count: true });
  } catch {
    return undefined;
  }
}

const oneRow = (text: string, delimiter: string): string[] | undefined => {
  const rows = parseCsv(text, delimiter);
  return rows?.length === 1 ? rows[0] : undefined;
};

function toRow(line: number, cells: readonly string[] | undefined, columns: readonly RecipientColumn[]): FileRow {
  if (!cells) return bad(line, 'bad_quotes', 'a quote stands inside a field without being doubled');
  if (cells.length !== columns.length && (cells.length < columns.length || cells.slice(columns.length).some((cell) => cell.trim() !== '')))
    return bad(line, 'wrong_columns', `the row has ${cells.length} fields, the header has ${columns.length}`);
  const raw: Partial<Record<RecipientColumn, string>> = {};
  for (const [i, column] of columns.entries()) raw[column] = cells[i] ?? '';
  return { line, raw };
}

/**
 * Reads the header. Its delimiter is a comma, or the semicolon or tab that spreadsheets write in many countries, whichever gives
 * most known columns.
 */
function readHeader(text: string): { delimiter: string; columns: RecipientColumn[] } {
  const readings = [',', ';', '\t'].map((delimiter) => ({ delimiter, names: (oneRow(text, delimiter) ?? []).map(columnName) }));
  const known = (names: string[]) => names.filter(isColumn).length;
  const best = readings.reduce((a, b) => (known(b.names) > known(a.names) ? b : a));
  if (known(best.names) === 0) throw new HeaderError('missing_header', `the first row must name the columns, of: ${RECIPIENT_COLUMNS.join(', ')}`);
  // Spreadsheets leave empty columns at the right end.
  while (best.names.at(-1) === '') best.names.pop();
  const unknown = best.names.filter((name) => !isColumn(name)).map((name) => name.slice(0, 60));
  if (unknown.length > 0)
    throw new HeaderError(
      'unknown_column',
      `unknown columns: ${unknown.map((name) => `"${name}"`).join(', ')}; known are ${RECIPIENT_COLUMNS.join(', ')}`,
      unknown,
    );
  const columns = best.names.filter(isColumn);
  const twice = columns.filter((name, i) => columns.indexOf(name) !== i);
  if (twice.length > 0) throw new HeaderError('repeated_column', `columns named twice: ${twice.join(', ')}`, twice);
  if (!columns.some((name) => name === 'external_id' || name === 'phone' || name === 'email'))
    throw new HeaderError('missing_column', 'at least one of the columns external_id, phone and email is needed', ['external_id', 'phone', 'email']);
  return { delimiter: best.delimiter, columns };
}

/** Reads one JSON object a line, whose names are those of the columns. */
class NdjsonReader implements FileReader {
  readonly #lines = new LineSplitter();

  push(piece: string): FileRow[] {
    return this.#lines.push(piece).flatMap(jsonRow);
  }
  end(): FileRow[] {
    return this.#lines.end().flatMap(jsonRow);
  }
}

function jsonRow({ line, text }: Line): FileRow[] {
  if (text === undefined) return [bad(line, 'too_long', OVERLONG)];
  if (text.trim() === '') return [];
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [bad(line, 'bad_json', 'the line is not JSON')];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [bad(line, 'bad_json', 'the line is not a JSON object')];
  const raw: Partial<Record<RecipientColumn, unknown>> = {};
  for (const [key, given] of Object.entries(value)) {
    const column = columnName(key);
    if (!isColumn(column)) return [bad(line, 'unknown_field', `unknown field; known are ${RECIPIENT_COLUMNS.join(', ')}`, key.slice(0, 60))];
    raw[column] = given;
  }
  return [{ line, raw }];
}
