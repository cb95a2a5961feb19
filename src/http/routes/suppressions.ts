import { z } from '@hono/zod-openapi';
import { apiRoute, type ApiRouter } from '#http/api-router.ts';
import { idempotencyHeader, jsonOf, pageOf, refusals } from '#http/view-schemas.ts';
import type { SuppressionView } from '#schemas/recipient.ts';
import { addSuppression } from '#services/recipients/add-suppression.ts';
import { listSuppressions } from '#services/recipients/list-suppressions.ts';
import { removeSuppression } from '#services/recipients/remove-suppression.ts';

const tags = ['suppressions'];

const suppression = z
  .object({
    senderId: z.string(),
    address: z.string(),
    reason: z.enum(['opted_out', 'no_mailbox', 'complaint', 'manual']),
    source: z.string(),
    createdAt: z.iso.datetime({ offset: true }),
  } satisfies { [K in keyof SuppressionView]: z.ZodType })
  .openapi('Suppression');

const key = z.strictObject({
  senderId: z.string().max(64).optional().openapi({ description: 'Left out: every sender of that channel.' }),
  address: z.string().min(1).max(320).openapi({ description: 'Telephone number or e-mail address.' }),
});

const list = apiRoute({
  method: 'get',
  path: '/suppressions',
  scope: 'read',
  tags,
  summary: 'Which sender must never use which address',
  request: { query: z.strictObject({ cursor: z.string().max(800).optional(), limit: z.coerce.number().int().min(1).max(1_000).optional() }) },
  responses: { 200: jsonOf(pageOf(suppression), 'One page.'), ...refusals },
});

const add = apiRoute({
  method: 'post',
  path: '/suppressions',
  scope: 'write',
  tags,
  summary: 'Stop a sender, or all of the channel, from using an address',
  request: { headers: idempotencyHeader, body: { required: true, content: { 'application/json': { schema: key } } } },
  responses: { 201: jsonOf(z.object({ added: z.int() }), 'How many senders were stopped now.'), ...refusals },
});

const remove = apiRoute({
  method: 'delete',
  path: '/suppressions',
  scope: 'write',
  tags,
  summary: 'Let a sender use an address again, after renewed consent',
  request: { query: key },
  responses: { 204: { description: 'Removed.' }, ...refusals },
});

export function registerSuppressions(routes: ApiRouter): void {
  routes.openapi(list, async (c) => c.json(await listSuppressions(c.var.ctx, c.req.valid('query')), 200));
  routes.openapi(add, async (c) => c.json(await addSuppression(c.var.ctx, c.req.valid('json')), 201));
  routes.openapi(remove, async (c) => {
    await removeSuppression(c.var.ctx, c.req.valid('query'));
    return c.body(null, 204);
  });
}
