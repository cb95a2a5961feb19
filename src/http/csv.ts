import { stringify } from 'csv-stringify';
import type { Env, Context as HonoContext } from 'hono';
import { Readable } from 'node:stream';

type Cell = string | number | boolean | null | undefined;

/**
 * Streams rows as RFC 4180 CSV, page by page as they are read. Cells that a spreadsheet would run as a formula
 * (= + - @ and friends) get a leading quote.
 *
 * @param columns header and the row's property, in order
 */
export function csvResponse<Row, E extends Env>(
  c: HonoContext<E>,
  fileName: string,
  columns: readonly (readonly [header: string, cell: (row: Row) => Cell])[],
  pages: AsyncIterable<readonly Row[]>,
): Response {
  const writer = stringify({ header: true, columns: columns.map(([header]) => header), quoted: true, escape_formulas: true, record_delimiter: 'windows' });
  async function* records(): AsyncGenerator<string[]> {
    for await (const page of pages) for (const row of page) yield columns.map(([, cell]) => String(cell(row) ?? ''));
  }
  const source = Readable.from(records());
  source.once('error', (error) => writer.destroy(error));
  const body = Readable.toWeb(source.pipe(writer)) as unknown as ReadableStream<Uint8Array>;
  return c.body(body, 200, { 'Content-Type': 'text/csv; charset=utf-8', 'Content-Disposition': `attachment; filename="${fileName}"` });
}
