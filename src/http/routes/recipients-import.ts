import { z } from '@hono/zod-openapi';
import type { Context as HonoContext } from 'hono';
import { apiRoute, type ApiRouter } from '#http/api-router.ts';
import type { AppEnv } from '#http/env.ts';
import { idempotencyHeader, jsonOf, refusals } from '#http/view-schemas.ts';
import { Problem } from '#platform/errors.ts';
import { importRecipients } from '#services/imports/import-recipients.ts';
import type { ImportResult } from '#services/imports/record-import.ts';

const count = z.int().min(0);
const issue = z.object({ line: z.int().min(1), field: z.string(), code: z.string(), detail: z.string() });

const importResult = z
  .object({
    id: z.string().openapi({ example: 'imp_4vyHJh2tDQTB5s0yZ0pXQA' }),
    rows: count.openapi({ description: 'Rows that held data; created, updated, unchanged, merged and rejected sum to it.' }),
    created: count,
    updated: count,
    unchanged: count,
    merged: count.openapi({ description: 'Rows folded into a person of an earlier row, or into whom their address already belongs to.' }),
    rejected: count.openapi({
      description: 'Until somebody acknowledges them (POST /v1/imports/{id}/acknowledge), a launch is refused with 409 `rejected_rows`.',
    }),
    erased: count.openapi({ description: 'Of the rejected: people who asked to be erased; nobody has to acknowledge those.' }),
    errors: z.array(issue).openapi({ description: 'The first thousand, in the order of the file; `line` is the physical line.' }),
    errorsTruncated: z.boolean(),
    warnings: z.array(issue).openapi({ description: 'Rows that were taken, with something to look at; the first hundred.' }),
    warningCount: count,
  } satisfies { [K in keyof ImportResult]: z.ZodType })
  .openapi('ImportResult');

const route = apiRoute({
  method: 'post',
  path: '/recipients/import',
  scope: 'write',
  tags: ['recipients'],
  summary: 'Import people from CSV or NDJSON of any size',
  description:
    'UTF-8. Columns: external_id, name, phone, email, locale, time_zone, lat, lon, tags, skills, consent (lists with ";"). An empty cell leaves what is stored. ' +
    'A wrong row is reported and never stops the good ones. The same file again changes nothing more.',
  request: {
    headers: idempotencyHeader,
    body: { required: true, content: { 'text/csv': { schema: z.string() }, 'application/x-ndjson': { schema: z.string() } } },
  },
  responses: { 200: jsonOf(importResult, 'What became of each row.'), ...refusals },
});

const FORMATS: Readonly<Record<string, 'csv' | 'ndjson'>> = {
  'text/csv': 'csv',
  'application/csv': 'csv',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
};

/** Tells the format by the Content-Type. @throws Problem 415 for any other type, and for a charset that is not UTF-8 */
export function importFormat(contentType: string | undefined): 'csv' | 'ndjson' {
  const [type = '', ...parameters] = (contentType ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice(8)
    .replaceAll('"', '');
  const format = FORMATS[type];
  if (!format || !['utf-8', 'utf8', 'us-ascii', undefined].includes(charset))
    throw new Problem(415, 'unsupported_media_type', 'An import is text/csv or application/x-ndjson, in UTF-8.');
  return format;
}

async function* bodyOf(c: HonoContext<AppEnv>): AsyncGenerator<Uint8Array> {
  const reader = c.req.raw.body?.getReader();
  if (!reader) return;
  try {
    for (let next = await read(reader); !next.done; next = await read(reader)) yield next.value;
  } finally {
    // This is not awaited, since in some runtimes cancelling waits for the sender.
    reader.cancel().catch(() => undefined);
  }
}

/** Reads on. A client that goes away in the middle hears no answer, but that must not count as a fault of ours. */
const read = (reader: ReadableStreamDefaultReader<Uint8Array>) =>
  reader.read().catch((error: unknown) => {
    if (error instanceof Problem) throw error;
    throw new Problem(400, 'incomplete_body', 'The upload ended early; nothing was written.', { cause: error });
  });

export function registerImport(routes: ApiRouter): void {
  routes.openapi(route, async (c) => c.json(await importRecipients(c.var.ctx, bodyOf(c), { format: importFormat(c.req.header('content-type')) }), 200));
}
