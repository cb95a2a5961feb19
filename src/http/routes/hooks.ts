import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context as HonoContext } from 'hono';
import type { Hook, HookCall, InboundHook, ReceiptHook } from '#domain/delivery/hook.ts';
import type { AppEnv, Deps } from '#http/env.ts';
import { readText } from '#http/public-page.ts';
import { defaultHeaders, wholeResponse } from '#http/security-headers.ts';
import { Problem } from '#platform/errors.ts';
import { receiveInbound } from '#services/inbound/receive-inbound.ts';
import { receiveReceipt } from '#services/receipts/receive-receipt.ts';

type C = HonoContext<AppEnv>;

const FORGED = { description: 'Forged, or of another account.' };

const receiptRoute = ({ method, path, summary, description }: ReceiptHook) =>
  createRoute({
    ...{ method, path, tags: ['hooks'], summary, description },
    request: { params: z.object({ ref: z.string() }) },
    responses: { 204: { description: 'Committed.' }, 403: FORGED, 404: { description: 'No such delivery.' } },
  });

const inboundRoute = ({ method, path, summary, description, answer }: InboundHook) =>
  createRoute({
    ...{ method, path, tags: ['hooks'], summary, description },
    responses: { 200: { description: answer.description, content: { [answer.contentType]: {} } }, 403: FORGED },
  });

/** What carriers call: how a message went, and what people wrote back. */
export function hooksRoutes(deps: Deps, hooks: readonly Hook[]): OpenAPIHono<AppEnv> {
  const routes = new OpenAPIHono<AppEnv>();
  const headers = defaultHeaders(deps);
  for (const hook of hooks)
    if (hook.kind === 'receipt') {
      const [before = '', after = ''] = hook.path.split('{ref}');
      routes.openapi(receiptRoute(hook), async (c) => {
        const { ref } = c.req.valid('param');
        await receiveReceipt(deps, hook, ref, await readCall(c, deps, hook, before + ref + after));
        return wholeResponse(null, 204, { ...headers, 'X-Request-Id': c.get('requestId') });
      });
    } else
      routes.openapi(inboundRoute(hook), async (c) => {
        const reply = await receiveInbound(deps, hook, await readCall(c, deps, hook, hook.path));
        return c.body(hook.answer.of(reply), 200, { 'Content-Type': `${hook.answer.contentType}; charset=utf-8` });
      });
  return routes;
}

/** @throws Problem 413; 415 for another kind of body than the carrier sends */
async function readCall(c: C, deps: Deps, { caller, contentType }: Hook, path: string): Promise<HookCall> {
  const given = (c.req.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (given !== contentType) throw new Problem(415, 'unsupported_media_type', `${caller} sends ${contentType}.`);
  const { search } = new URL(c.req.url);
  return { url: `${deps.config.publicUrl}${path}${search}`, header: (name) => c.req.header(name), body: await readText(c) };
}
