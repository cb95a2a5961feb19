import { z } from '@hono/zod-openapi';
import { CHANNELS } from '#schemas/delivery.ts';
import { stopEverything } from '#services/messages/stop-everything.ts';
import { apiRoute, type ApiRouter, WRITES_OR_SENDS } from '#http/api-router.ts';
import { idempotencyHeader, jsonOf, refusals } from '#http/view-schemas.ts';

const stopSchema = z
  .strictObject({
    scope: z.enum(['installation', 'tenant', 'channel']),
    channel: z.enum(CHANNELS).optional().openapi({ description: 'With scope "channel".' }),
    release: z.boolean().optional().openapi({ description: 'true lets sending go on.' }),
  })
  .refine((stop) => (stop.scope === 'channel') === (stop.channel !== undefined), {
    path: ['channel'],
    message: 'is needed with the scope "channel", and with no other',
  });

const route = apiRoute({
  method: 'post',
  path: '/stop',
  scope: [...WRITES_OR_SENDS, 'operator'],
  tags: ['messages'],
  summary: 'Stop all sending of the installation, the tenant or one channel, or release the stop',
  description:
    "The tenant and its channels are everybody's who may write. The installation is for its operators: other keys get 403 `not_an_operator`, whatever else they may do.",
  request: { headers: idempotencyHeader, body: { required: true, content: { 'application/json': { schema: stopSchema } } } },
  responses: {
    200: jsonOf(
      z.object({ inFlight: z.int() }),
      'In force within a second; no call starts after that. `inFlight` calls were marked: what of them had not begun is taken back.',
    ),
    ...refusals,
  },
});

export function registerStop(routes: ApiRouter): void {
  routes.openapi(route, async (c) => {
    const { scope, channel, release } = c.req.valid('json');
    return c.json(await stopEverything(c.var.ctx, { scope, channel, release }), 200);
  });
}
