import { z } from '@hono/zod-openapi';
import { apiRoute, ApiRouter } from '#http/api-router.ts';
import { csvResponse } from '#http/csv.ts';
import type { Deps } from '#http/env.ts';
import { idempotencyHeader, jsonOf, pageOf, refusals } from '#http/view-schemas.ts';
import { MESSAGE_CLASSES } from '#schemas/delivery.ts';
import { pushSubscriptionSchema, recipientChangeSchema, recipientInputSchema, type RecipientView } from '#schemas/recipient.ts';
import { addPushSubscription } from '#services/recipients/add-push-subscription.ts';
import { changeConsent } from '#services/recipients/change-consent.ts';
import { changeRecipient } from '#services/recipients/change-recipient.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { eraseRecipient } from '#services/recipients/erase-recipient.ts';
import { getRecipient } from '#services/recipients/get-recipient.ts';
import { listRecipients, streamRecipients } from '#services/recipients/list-recipients.ts';
import { registerImports } from './imports.ts';
import { registerImport } from './recipients-import.ts';
import { registerSuppressions } from './suppressions.ts';

const tags = ['recipients'];
const params = z.object({ id: z.string().openapi({ example: 'rcp_4vyHJh2tDQTB5s0yZ0pXQA' }) });
const body = <T extends z.ZodType>(schema: T) => ({ required: true, content: { 'application/json': { schema } } });
const maybe = z.string().nullable();
const time = z.iso.datetime({ offset: true });

const recipientView = z
  .object({
    id: z.string(),
    externalId: maybe,
    name: maybe,
    phone: maybe.openapi({ description: 'E.164', example: '+14155550100' }),
    email: maybe,
    locale: maybe,
    timeZone: maybe,
    lat: z.number().nullable(),
    lon: z.number().nullable(),
    tags: z.array(z.string()),
    skills: z.array(z.string()),
    consent: z.array(z.enum(MESSAGE_CLASSES)).nullable().openapi({ description: 'Purposes agreed to; null: never asked.' }),
    pushSubscriptions: z.int().min(0),
    phoneInvalidAt: time.nullable(),
    emailInvalidAt: time.nullable(),
    origin: z.enum(['import', 'api', 'share']),
    parentId: maybe,
    generation: z.int().min(0),
    createdAt: time,
    updatedAt: time,
  } satisfies { [K in keyof RecipientView]: z.ZodType })
  .openapi('Recipient');
const recipient = (description: string) => jsonOf(recipientView, description);

const list = apiRoute({
  method: 'get',
  path: '/recipients',
  scope: 'read',
  tags,
  summary: 'Search people, newest first',
  request: {
    query: z.strictObject({
      q: z.string().max(200).optional().openapi({ description: 'Part of a name, telephone number or e-mail address, or a whole external id.' }),
      tag: z.string().max(100).optional(),
      skill: z.string().max(100).optional(),
      cursor: z.string().max(64).optional(),
      limit: z.coerce.number().int().min(1).max(500).optional(),
      format: z.enum(['json', 'csv']).optional().openapi({ description: 'csv streams all of them as an import takes them, whatever cursor and limit say.' }),
    }),
  },
  responses: {
    200: {
      description: 'One page, or all as CSV.',
      content: { 'application/json': { schema: pageOf(recipientView) }, 'text/csv': { schema: z.string() } },
    },
    ...refusals,
  },
});

const create = apiRoute({
  method: 'post',
  path: '/recipients',
  scope: 'write',
  tags,
  summary: 'Add one person',
  request: { headers: idempotencyHeader, body: body(recipientInputSchema) },
  responses: { 201: recipient('The person.'), ...refusals },
});

const get = apiRoute({
  method: 'get',
  path: '/recipients/{id}',
  scope: 'read',
  tags,
  summary: 'One person',
  request: { params },
  responses: { 200: recipient('The person.'), ...refusals },
});

const change = apiRoute({
  method: 'patch',
  path: '/recipients/{id}',
  scope: 'write',
  tags,
  summary: 'Change what is given; null clears',
  request: { params, body: body(recipientChangeSchema) },
  responses: { 200: recipient('The person as changed.'), ...refusals },
});

const erase = apiRoute({
  method: 'delete',
  path: '/recipients/{id}',
  scope: 'write',
  tags,
  summary: 'Erase a person; no import brings them back',
  request: { params },
  responses: { 204: { description: 'Erased.' }, ...refusals },
});

const consent = apiRoute({
  method: 'put',
  path: '/recipients/{id}/consent/{purpose}',
  scope: 'write',
  tags,
  summary: 'Record that a person agrees to one purpose, or no longer does',
  request: { params: params.extend({ purpose: z.enum(MESSAGE_CLASSES) }), body: body(z.strictObject({ agreed: z.boolean() })) },
  responses: { 200: recipient('The person as changed.'), ...refusals },
});

const subscribe = apiRoute({
  method: 'post',
  path: '/recipients/{id}/push-subscriptions',
  scope: 'write',
  tags,
  summary: "Keep a browser's PushSubscription",
  request: { params, headers: idempotencyHeader, body: body(pushSubscriptionSchema) },
  responses: { 201: jsonOf(z.object({ pushSubscriptions: z.int() }), 'How many the person has now.'), ...refusals },
});

/** The columns are those of an import, so that an export can be corrected and imported again. Our own ids are not among them. */
const COLUMNS = [
  ['external_id', (row: RecipientView) => row.externalId],
  ['name', (row: RecipientView) => row.name],
  ['phone', (row: RecipientView) => row.phone],
  ['email', (row: RecipientView) => row.email],
  ['locale', (row: RecipientView) => row.locale],
  ['time_zone', (row: RecipientView) => row.timeZone],
  ['lat', (row: RecipientView) => row.lat],
  ['lon', (row: RecipientView) => row.lon],
  ['tags', (row: RecipientView) => row.tags.join(';')],
  ['skills', (row: RecipientView) => row.skills.join(';')],
  ['consent', (row: RecipientView) => (row.consent?.length === 0 ? 'none' : row.consent?.join(';'))],
] as const;

/** Everything under /v1/recipients, and /v1/suppressions. */
export function recipientsRoutes(_deps: Deps): ApiRouter {
  const routes = new ApiRouter();
  registerImport(routes);
  registerImports(routes);
  routes.openapi(list, async (c) => {
    const { format, ...query } = c.req.valid('query');
    if (format !== 'csv') return c.json(await listRecipients(c.var.ctx, query), 200);
    return csvResponse(c, 'recipients.csv', COLUMNS, streamRecipients(c.var.ctx, query));
  });
  routes.openapi(create, async (c) => {
    const made = await createRecipient(c.var.ctx, c.req.valid('json'));
    return c.json(made, 201, { Location: `/v1/recipients/${made.id}` });
  });
  routes.openapi(get, async (c) => c.json(await getRecipient(c.var.ctx, c.req.valid('param').id), 200));
  routes.openapi(change, async (c) => c.json(await changeRecipient(c.var.ctx, c.req.valid('param').id, c.req.valid('json')), 200));
  routes.openapi(erase, async (c) => {
    await eraseRecipient(c.var.ctx, c.req.valid('param').id);
    return c.body(null, 204);
  });
  routes.openapi(consent, async (c) => {
    const { id, purpose } = c.req.valid('param');
    return c.json(await changeConsent(c.var.ctx, id, { purpose, agreed: c.req.valid('json').agreed }), 200);
  });
  routes.openapi(subscribe, async (c) => c.json(await addPushSubscription(c.var.ctx, c.req.valid('param').id, c.req.valid('json')), 201));
  registerSuppressions(routes);
  return routes;
}
