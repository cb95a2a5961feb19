import { z } from '@hono/zod-openapi';
import { MESSAGE_STATES } from '#schemas/delivery.ts';
import { acknowledgeSchema, messageChangeSchema, messageInputSchema } from '#schemas/message.ts';
import type { MessageView } from '#schemas/views.ts';
import { approveMessage } from '#services/messages/approve-message.ts';
import { changeMessage } from '#services/messages/change-message.ts';
import { countMayHave } from '#services/messages/count-may-have.ts';
import { correctMessage } from '#services/messages/correct-message.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { launchMessage } from '#services/messages/launch-message.ts';
import { listMessages } from '#services/messages/list-messages.ts';
import { draftTag } from '#services/messages/draft-tag.ts';
import { stopMessage } from '#services/messages/stop-message.ts';
import { apiRoute, ApiRouter, WRITES_OR_SENDS } from '#http/api-router.ts';
import type { Deps } from '#http/env.ts';
import { idempotencyHeader, jsonOf, messageViewSchema, pageOf, preconditionFailed, refusals } from '#http/view-schemas.ts';
import { messageParams, registerDeliveries } from './message-deliveries.ts';
import { registerEvents } from './message-events.ts';
import { registerStop } from './stop.ts';

const tags = ['messages'];
const message = (description: string) => jsonOf(messageViewSchema, description);
const body = <T extends z.ZodType>(schema: T) => ({ required: true, content: { 'application/json': { schema } } });

const create = apiRoute({
  method: 'post',
  path: '/messages',
  scope: WRITES_OR_SENDS,
  tags,
  summary: 'Write a message as a draft, or launch it at once',
  request: { headers: idempotencyHeader, body: body(messageInputSchema) },
  responses: { 201: message('The message; `state` says whether it was launched.'), ...refusals },
});

const list = apiRoute({
  method: 'get',
  path: '/messages',
  scope: 'read',
  tags,
  summary: 'Messages, newest first',
  request: {
    query: z.strictObject({
      cursor: z.string().max(64).optional(),
      limit: z.coerce.number().int().min(1).max(100).optional(),
      state: z.enum(MESSAGE_STATES).optional(),
    }),
  },
  responses: { 200: jsonOf(pageOf(messageViewSchema), 'One page.'), ...refusals },
});

const get = apiRoute({
  method: 'get',
  path: '/messages/{id}',
  scope: 'read',
  tags,
  summary: 'One message with its counts as they are now',
  request: { params: messageParams },
  responses: { 200: message('The message.'), ...refusals },
});

const change = apiRoute({
  method: 'patch',
  path: '/messages/{id}',
  scope: WRITES_OR_SENDS,
  tags,
  summary: 'Change a draft: what is given is set, null clears, what is left out stays',
  description:
    'Only a draft can be changed (409 otherwise), and an approval that it had is void. A drill stays a drill. ' +
    'A draft is answered with an ETag; given back as If-Match, the change is made only if nobody has changed the draft meanwhile (412 otherwise).',
  request: {
    params: messageParams,
    headers: z.object({ 'if-match': z.string().max(1000).optional().openapi({ description: 'The ETag of the draft that this change was made from.' }) }),
    body: body(messageChangeSchema),
  },
  responses: { 200: message('The draft as it is now.'), 412: preconditionFailed, ...refusals },
});

// The body of these verbs may be left out altogether.
const decision = {
  content: {
    'application/json': {
      schema: z.strictObject({
        audienceHash: z.string().max(64).optional().openapi({ description: 'Refuse unless the audience still has this hash.' }),
        acknowledge: acknowledgeSchema.openapi({ description: 'What was asked before (409 with this code) and is meant all the same.' }),
      }),
    },
  },
};

const launch = apiRoute({
  method: 'post',
  path: '/messages/{id}/launch',
  scope: WRITES_OR_SENDS,
  tags,
  summary: 'Launch a draft now, or schedule it for its startAt',
  request: { params: messageParams, headers: idempotencyHeader, body: decision },
  responses: { 202: message('Launched or scheduled.'), ...refusals },
});

const approve = apiRoute({
  method: 'post',
  path: '/messages/{id}/approve',
  scope: WRITES_OR_SENDS,
  tags,
  summary: 'Approve a draft as its second person',
  request: { params: messageParams, headers: idempotencyHeader, body: decision },
  responses: { 200: message('Approved.'), ...refusals },
});

const stop = apiRoute({
  method: 'post',
  path: '/messages/{id}/stop',
  scope: WRITES_OR_SENDS,
  tags,
  summary: 'Stop a message: no further call starts within a second',
  request: { params: messageParams, headers: idempotencyHeader },
  responses: {
    200: jsonOf(
      z.object({ message: messageViewSchema, inFlight: z.int(), cancelled: z.int() }),
      'Stopped. `cancelled` were still waiting; `inFlight` calls were marked: what of them had not begun is taken back and cancelled too, code `not_called`.',
    ),
    ...refusals,
  },
});

const followUp = z.strictObject({
  text: messageInputSchema.shape.text,
  title: messageInputSchema.shape.title,
  says: messageInputSchema.shape.says,
  count: z.int().min(0).optional().openapi({ description: 'It is refused unless so many people may have had the message.' }),
});

const reached = apiRoute({
  method: 'get',
  path: '/messages/{id}/reached',
  scope: 'read',
  tags,
  summary: 'How many people a correction or an all-clear goes to: everybody who may have had the message',
  request: { params: messageParams },
  responses: { 200: jsonOf(z.object({ count: z.int() }), 'The number of people.'), ...refusals },
});

const correct = apiRoute({
  method: 'post',
  path: '/messages/{id}/correct',
  scope: WRITES_OR_SENDS,
  tags,
  summary: 'Correct a message to everyone who may have had it',
  request: { params: messageParams, headers: idempotencyHeader, body: body(followUp) },
  responses: { 201: message('The correction, launched.'), ...refusals },
});

const allClear = apiRoute({
  method: 'post',
  path: '/messages/{id}/all-clear',
  scope: WRITES_OR_SENDS,
  tags,
  summary: 'Tell everyone who may have had the message that it is over',
  request: { params: messageParams, headers: idempotencyHeader, body: body(followUp) },
  responses: { 201: message('The all-clear, launched.'), ...refusals },
});

/** Everything under /v1/messages that one message's life needs, and the stop of everything. */
export function messagesRoutes(deps: Deps): ApiRouter {
  const routes = new ApiRouter();
  const tag = (view: MessageView): Record<string, string> => (view.state === 'draft' ? { ETag: draftTag(view) } : {});
  const at = (view: MessageView) => ({ Location: `/v1/messages/${view.id}`, ...tag(view) });
  routes.openapi(create, async (c) => {
    const made = await createMessage(c.var.ctx, c.req.valid('json'));
    return c.json(made, 201, at(made));
  });
  routes.openapi(list, async (c) => c.json(await listMessages(c.var.ctx, c.req.valid('query')), 200));
  routes.openapi(get, async (c) => {
    const view = await getMessage(c.var.ctx, c.req.valid('param').id);
    return c.json(view, 200, tag(view));
  });
  routes.openapi(change, async (c) => {
    const view = await changeMessage(c.var.ctx, c.req.valid('param').id, c.req.valid('json'), c.req.valid('header')['if-match']);
    return c.json(view, 200, tag(view));
  });
  routes.openapi(launch, async (c) => c.json(await launchMessage(c.var.ctx, c.req.valid('param').id, c.req.valid('json')), 202));
  routes.openapi(approve, async (c) => c.json(await approveMessage(c.var.ctx, c.req.valid('param').id, c.req.valid('json')), 200));
  routes.openapi(stop, async (c) => c.json(await stopMessage(c.var.ctx, c.req.valid('param').id), 200));
  routes.openapi(reached, async (c) => c.json({ count: await countMayHave(c.var.ctx, c.req.valid('param').id) }, 200));
  routes.openapi(correct, async (c) => {
    const made = await correctMessage(c.var.ctx, c.req.valid('param').id, { ...c.req.valid('json'), kind: 'correction' });
    return c.json(made, 201, at(made));
  });
  routes.openapi(allClear, async (c) => {
    const made = await correctMessage(c.var.ctx, c.req.valid('param').id, { ...c.req.valid('json'), kind: 'all_clear' });
    return c.json(made, 201, at(made));
  });
  registerDeliveries(routes);
  registerEvents(routes, deps);
  registerStop(routes);
  return routes;
}
