import { z } from '@hono/zod-openapi';
import { apiRoute, type ApiRouter } from '#http/api-router.ts';
import { idempotencyHeader, jsonOf, pageOf, refusals } from '#http/view-schemas.ts';
import { acknowledgeImport } from '#services/imports/acknowledge-import.ts';
import { getImport } from '#services/imports/get-import.ts';
import type { ImportView } from '#services/imports/import-view.ts';
import { listImports } from '#services/imports/list-imports.ts';

const tags = ['recipients'];
const count = z.int().min(0);
const time = z.iso.datetime({ offset: true });
const params = z.object({ id: z.string().openapi({ example: 'imp_4vyHJh2tDQTB5s0yZ0pXQA' }) });

const importView = z
  .object({
    id: z.string(),
    finishedAt: time,
    importedBy: z.string(),
    created: count,
    updated: count,
    unchanged: count,
    merged: count,
    rejected: count,
    erased: count.openapi({ description: 'Of the rejected: people who asked to be erased; nobody has to acknowledge those.' }),
    rejectedRows: z
      .array(z.object({ line: z.int().min(1), field: z.string(), code: z.string() }))
      .readonly()
      .openapi({ description: 'What is wrong with the rejected rows: the first hundred. Nothing that stood in the file is kept.' }),
    acknowledgedAt: time.nullable(),
    acknowledgedBy: z.string().nullable(),
  } satisfies { [K in keyof ImportView]: z.ZodType })
  .openapi('Import');

const list = apiRoute({
  method: 'get',
  path: '/imports',
  scope: 'read',
  tags,
  summary: 'Imports, newest first',
  request: { query: z.strictObject({ cursor: z.string().max(64).optional(), limit: z.coerce.number().int().min(1).max(500).optional() }) },
  responses: { 200: jsonOf(pageOf(importView), 'One page.'), ...refusals },
});

const get = apiRoute({
  method: 'get',
  path: '/imports/{id}',
  scope: 'read',
  tags,
  summary: 'What came of one import',
  request: { params },
  responses: { 200: jsonOf(importView, 'The import.'), ...refusals },
});

const acknowledge = apiRoute({
  method: 'post',
  path: '/imports/{id}/acknowledge',
  scope: 'write',
  tags,
  summary: 'Somebody has seen which rows were not taken',
  description:
    'Until then, and for a week, approving or launching a message is refused with 409 `rejected_rows`: whoever stood in those rows would miss it. ' +
    'Exercises, corrections and the all-clear are never refused for it. Doing it again changes nothing: the first one stays named.',
  request: { params, headers: idempotencyHeader },
  responses: { 200: jsonOf(importView, 'Acknowledged.'), ...refusals },
});

export function registerImports(routes: ApiRouter): void {
  routes.openapi(list, async (c) => c.json(await listImports(c.var.ctx, c.req.valid('query')), 200));
  routes.openapi(get, async (c) => c.json(await getImport(c.var.ctx, c.req.valid('param').id), 200));
  routes.openapi(acknowledge, async (c) => c.json(await acknowledgeImport(c.var.ctx, c.req.valid('param').id), 200));
}
