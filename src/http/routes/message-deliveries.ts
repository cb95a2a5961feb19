import { z } from '@hono/zod-openapi';
import { CHANNELS, DELIVERY_STATES } from '#schemas/delivery.ts';
import type { DeliveryView } from '#schemas/views.ts';
import { listDeliveries, streamDeliveries } from '#services/delivery/list-deliveries.ts';
import { apiRoute, type ApiRouter } from '#http/api-router.ts';
import { csvResponse } from '#http/csv.ts';
import { deliveryViewSchema, jsonOf, pageOf, refusals } from '#http/view-schemas.ts';

export const messageParams = z.object({ id: z.string().openapi({ example: 'msg_4vyHJh2tDQTB5s0yZ0pXQA' }) });

const route = apiRoute({
  method: 'get',
  path: '/messages/{id}/deliveries',
  scope: 'read',
  tags: ['messages'],
  summary: 'Who was called over which channel, and how it went',
  request: {
    params: messageParams,
    query: z.strictObject({
      state: z.enum(DELIVERY_STATES).optional(),
      channel: z.enum(CHANNELS).optional(),
      cursor: z.string().max(128).optional(),
      limit: z.coerce.number().int().min(1).max(1000).optional(),
      format: z.enum(['json', 'csv']).optional().openapi({ description: 'csv streams all of them, whatever cursor and limit say.' }),
    }),
  },
  responses: {
    200: {
      ...jsonOf(pageOf(deliveryViewSchema), 'One page, or all as CSV.'),
      content: { ...jsonOf(pageOf(deliveryViewSchema), '').content, 'text/csv': { schema: z.string() } },
    },
    ...refusals,
  },
});

const COLUMNS = [
  ['recipient_id', (row: DeliveryView) => row.recipientId],
  ['name', (row: DeliveryView) => row.name],
  ['channel', (row: DeliveryView) => row.channel],
  ['wave', (row: DeliveryView) => row.wave],
  ['state', (row: DeliveryView) => row.state],
  ['attempts', (row: DeliveryView) => row.attempts],
  ['code', (row: DeliveryView) => row.code],
  ['marked_at', (row: DeliveryView) => row.markedAt],
  ['settled_at', (row: DeliveryView) => row.settledAt],
  ['provider_id', (row: DeliveryView) => row.providerId],
  ['doubt', (row: DeliveryView) => row.doubt],
] as const;

export function registerDeliveries(routes: ApiRouter): void {
  routes.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { format, ...query } = c.req.valid('query');
    if (format !== 'csv') return c.json(await listDeliveries(c.var.ctx, id, query), 200);
    // The first page is read before the answer begins, so that a refusal is still a problem and not half a file.
    const pages = streamDeliveries(c.var.ctx, id, { state: query.state, channel: query.channel })[Symbol.asyncIterator]();
    const first = await pages.next();
    return csvResponse(c, `${id}-deliveries.csv`, COLUMNS, from(first, pages));
  });
}

async function* from<T>(first: IteratorResult<T>, rest: AsyncIterator<T>): AsyncGenerator<T> {
  for (let next = first; !next.done; next = await rest.next()) yield next.value;
}
