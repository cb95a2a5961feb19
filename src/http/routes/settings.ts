import { z } from '@hono/zod-openapi';
import { apiRoute, ApiRouter } from '#http/api-router.ts';
import type { Deps } from '#http/env.ts';
import { jsonOf, refusals } from '#http/view-schemas.ts';
import { saysSchema } from '#schemas/message.ts';
import { quietHoursSchema, settingsChangeSchema, type SettingsView } from '#schemas/settings.ts';
import { changeSettings } from '#services/organisations/change-settings.ts';
import { getSettings } from '#services/organisations/get-settings.ts';

const limit = z.int().nullable();

const settingsView = z
  .object({
    name: z.string(),
    defaultLocale: z.string(),
    defaultCountry: z.string(),
    timeZone: z.string().nullable().openapi({ description: 'IANA zone for people without one of their own; null: times are told in UTC.' }),
    quietHours: quietHoursSchema.nullable().openapi({ description: "No campaign (bulk) is sent in these hours on each person's own clock." }),
    approvalAbove: z
      .object({ life: limit, ops: limit, bulk: limit })
      .openapi({ description: 'A message to more people needs a second person; null: never. A new organisation begins at 100, 1,000 and 10,000.' }),
    doubling: z.boolean().openapi({ description: 'Whether a message to more than twice as many people as any before needs a second person too.' }),
    hourlyCeiling: z
      .int()
      .nullable()
      .openapi({ description: 'Messages that one person may be sent within an hour; null: any number. Life is always sent, and counts.' }),
    says: saysSchema.openapi({ description: 'Standing words of life messages, for what a message does not say itself. Without an issuer it is the name.' }),
    asksPrograms: z.boolean().openapi({ description: 'Whether programs are asked back before what looks like a slip, as people always are.' }),
  } satisfies { [K in keyof SettingsView]: z.ZodType })
  .openapi('Settings');

const get = apiRoute({
  method: 'get',
  path: '/settings',
  scope: 'read',
  tags: ['settings'],
  summary: 'What the organisation has decided for all its messages',
  responses: { 200: jsonOf(settingsView, 'As of now.'), ...refusals },
});

const change = apiRoute({
  method: 'patch',
  path: '/settings',
  scope: 'write',
  tags: ['settings'],
  summary: 'Change settings: what is given is set, null clears, what is left out stays',
  request: { body: { required: true, content: { 'application/json': { schema: settingsChangeSchema } } } },
  responses: { 200: jsonOf(settingsView, 'As they are now.'), ...refusals },
});

/** `GET PATCH /v1/settings`. */
export function settingsRoutes(_deps: Deps): ApiRouter {
  const routes = new ApiRouter();
  routes.openapi(get, async (c) => c.json(await getSettings(c.var.ctx), 200));
  routes.openapi(change, async (c) => c.json(await changeSettings(c.var.ctx, c.req.valid('json')), 200));
  return routes;
}
