import { z } from '@hono/zod-openapi';
import { apiRoute, ApiRouter } from '#http/api-router.ts';
import type { Deps } from '#http/env.ts';
import { idempotencyHeader, jsonOf, messageViewSchema, refusals } from '#http/view-schemas.ts';
import { Problem } from '#platform/errors.ts';
import { exportCap } from '#services/cap/export-cap.ts';
import { importCap } from '#services/cap/import-cap.ts';
import { messageParams } from './message-deliveries.ts';

const CAP_TYPE = 'application/cap+xml';
/** Agencies and their tools send all three types (RFC 7303). */
const TAKEN = new Set([CAP_TYPE, 'application/xml', 'text/xml']);
const tags = ['cap'];
const xml = { schema: z.string().openapi({ description: 'A CAP 1.2 <alert>.' }) };

const post = apiRoute({
  method: 'post',
  path: '/cap',
  scope: 'write',
  tags,
  summary: 'A CAP 1.2 alert becomes a draft message',
  description:
    'Nothing is sent: a person decides. The same alert again (sender, identifier, sent) gives the draft that it made before. ' +
    'At most 2 MB. A broken alert is refused with 400 and its `line` and `reason`; any document type is refused. ' +
    'A signature is let through but not verified.',
  request: { headers: idempotencyHeader, body: { required: true, content: { [CAP_TYPE]: xml, 'application/xml': xml, 'text/xml': xml } } },
  responses: { 201: jsonOf(messageViewSchema, 'The draft; the same one again for an alert that was posted before.'), ...refusals },
});
const get = apiRoute({
  method: 'get',
  path: '/messages/{id}/cap',
  scope: 'read',
  tags,
  summary: 'The message as a CAP 1.2 alert',
  request: { params: messageParams },
  responses: { 200: { description: 'The alert. A draft has status Draft.', content: { [CAP_TYPE]: xml } }, ...refusals },
});

/** CAP 1.2 in and out; mounted under /v1. */
export function capRoutes(_deps: Deps): ApiRouter {
  const routes = new ApiRouter();
  routes.openapi(post, async (c) => {
    const type = (c.req.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
    if (!TAKEN.has(type))
      throw new Problem(415, 'unsupported_media_type', `An alert comes as ${[...TAKEN].join(', ')}; this is ${type ? `"${type}"` : 'without a Content-Type'}.`);
    const { message } = await importCap(c.var.ctx, new Uint8Array(await c.req.arrayBuffer()));
    return c.json(message, 201, { Location: `/v1/messages/${message.id}` });
  });
  routes.openapi(get, async (c) => c.body(await exportCap(c.var.ctx, c.req.valid('param').id), 200, { 'Content-Type': `${CAP_TYPE}; charset=utf-8` }));
  return routes;
}
