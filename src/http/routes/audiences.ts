import { z } from '@hono/zod-openapi';
import { apiRoute, ApiRouter, WRITES_OR_SENDS } from '#http/api-router.ts';
import type { Deps } from '#http/env.ts';
import { forecastSchema, jsonOf, refusals } from '#http/view-schemas.ts';
import { byChannel } from '#schemas/channel-facts.ts';
import { previewInputSchema } from '#schemas/message.ts';
import type { PreviewView } from '#schemas/views.ts';
import { previewAudience } from '#services/messages/preview-audience.ts';

const count = z.int().min(0);

const previewView = z
  .object({
    count,
    hash: z.string().openapi({ description: 'Of the people, whatever their order; give it back as `audienceHash` to launch to exactly these.' }),
    channels: z.object(byChannel(() => count)).openapi({ description: 'People per channel after suppression and consent.' }),
    unreachable: count.openapi({ description: 'People without an address on any of the channels.' }),
    suppressed: count.openapi({ description: 'People who said stop to every sender that could reach them, or did not agree to this purpose.' }),
    atCeiling: count.nullable().openapi({
      description:
        'People who have had as many messages within the hour as one person may be sent (`hourlyCeiling`): they are left out. Null: too many to count.',
    }),
    segments: count.openapi({ description: 'SMS parts of the longest rendering.' }),
    units: count.openapi({ description: 'SMS parts over all people.' }),
    encoding: z.enum(['GSM-7', 'UCS-2']).nullable(),
    culprits: z
      .array(z.object({ character: z.string(), position: count, locale: z.string() }))
      .openapi({ description: 'Characters outside GSM-7, with their offset.' }),
    forecast: forecastSchema,
    warnings: z.array(z.object({ code: z.string(), detail: z.string() })),
  } satisfies { [K in keyof PreviewView]: z.ZodType })
  .openapi('Preview');

const preview = apiRoute({
  method: 'post',
  path: '/audiences/preview',
  scope: ['read', ...WRITES_OR_SENDS],
  tags: ['audiences'],
  summary: 'How many people a message would reach, over which channels, in how many SMS',
  request: { body: { required: true, content: { 'application/json': { schema: previewInputSchema } } } },
  responses: { 200: jsonOf(previewView, 'As of now; nothing is stored.'), ...refusals },
});

/** `POST /v1/audiences/preview`. */
export function audiencesRoutes(_deps: Deps): ApiRouter {
  const routes = new ApiRouter();
  routes.openapi(preview, async (c) => c.json(await previewAudience(c.var.ctx, c.req.valid('json')), 200));
  return routes;
}
