import { z } from '@hono/zod-openapi';
import { ANSWER_WAYS, CHANNELS } from '#schemas/delivery.ts';
import { type AnswerView, listAnswers, streamAnswers } from '#services/answers/list-answers.ts';
import { type InboundView, listInbound } from '#services/inbound/list-inbound.ts';
import { listSpread, type SpreadEdge, type SpreadView, streamSpread } from '#services/spread/list-spread.ts';
import { markHandled } from '#services/inbound/mark-handled.ts';
import { apiRoute, ApiRouter } from '#http/api-router.ts';
import { csvResponse } from '#http/csv.ts';
import type { Deps } from '#http/env.ts';
import { idempotencyHeader, jsonOf, pageOf, refusals } from '#http/view-schemas.ts';

const count = z.int().min(0);
const time = z.iso.datetime({ offset: true });
const maybe = <T extends z.ZodType>(schema: T) => schema.nullable();
const params = z.object({ id: z.string().openapi({ example: 'msg_4vyHJh2tDQTB5s0yZ0pXQA' }) });
const paging = { cursor: z.string().max(128).optional(), limit: z.coerce.number().int().min(1).max(1000).optional() };
const format = z.enum(['json', 'csv']).optional().openapi({ description: 'csv streams all of them, whatever cursor and limit say.' });
const withCsv = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { ...jsonOf(schema, '').content, 'text/csv': { schema: z.string() } },
});

const answerSchema = z
  .object({
    recipientId: z.string(),
    name: maybe(z.string()),
    key: z.string(),
    label: z.string(),
    way: z.enum(ANSWER_WAYS),
    at: time,
    firstKey: z.string(),
    firstAt: time.openapi({ description: 'Never changes.' }),
    changes: count,
    etaAt: maybe(time),
    note: maybe(z.string()),
  } satisfies { [K in keyof AnswerView]: z.ZodType })
  .openapi('Answer');

const edgeSchema = z
  .object({
    recipientId: z.string(),
    name: maybe(z.string()),
    parentId: z.string(),
    parentName: maybe(z.string()),
    generation: count,
    channel: z.enum(CHANNELS),
    joinedAt: time,
  } satisfies { [K in keyof SpreadEdge]: z.ZodType })
  .openapi('SpreadEdge');

const reproductionSchema = z.union([z.literal('too_early'), z.object({ r: z.number(), low: z.number(), high: z.number(), people: count })]);

const spreadSchema = z
  .object({
    items: z.array(edgeSchema),
    next: maybe(z.string()),
    generations: z.array(
      z.object({
        generation: count,
        people: count,
        sharers: count,
        visits: count,
        reproduction: reproductionSchema.openapi({ description: 'People brought per mature person with its 95 % interval; too_early below 30 of them.' }),
      }),
    ),
    top: z.array(z.object({ recipientId: z.string(), name: maybe(z.string()), generation: count, visits: count, joins: count })),
    matureMinutes: count,
  } satisfies { [K in keyof SpreadView]: z.ZodType })
  .openapi('Spread');

const inboundSchema = z
  .object({
    id: z.string(),
    from: z.string(),
    recipientId: maybe(z.string()),
    name: maybe(z.string()),
    messageId: maybe(z.string()),
    body: z.string(),
    reply: z.string(),
    outcome: z.enum(['answer', 'stop', 'start', 'help', 'join', 'unclear', 'unmatched', 'late']),
    needsHuman: z.boolean(),
    at: time,
    handledAt: maybe(time),
    handledBy: maybe(z.string()),
  } satisfies { [K in keyof InboundView]: z.ZodType })
  .openapi('InboundText');

const answersRoute = apiRoute({
  method: 'get',
  path: '/messages/{id}/answers',
  scope: 'read',
  tags: ['responses'],
  summary: 'Who answered what, newest first',
  request: { params, query: z.strictObject({ key: z.string().max(20).optional(), ...paging, format }) },
  responses: { 200: withCsv(pageOf(answerSchema), 'One page, or all as CSV.'), ...refusals },
});

const spreadRoute = apiRoute({
  method: 'get',
  path: '/messages/{id}/spread',
  scope: 'read',
  tags: ['responses'],
  summary: 'Who came through whom, and how far the message spread',
  request: { params, query: z.strictObject({ ...paging, matureMinutes: z.coerce.number().int().min(0).max(43_200).optional(), format }) },
  responses: { 200: withCsv(spreadSchema, 'Edges by page with the sums, or all edges as CSV.'), ...refusals },
});

const inboundRoute = apiRoute({
  method: 'get',
  path: '/texts',
  scope: 'read',
  tags: ['responses'],
  summary: 'Texts that people sent to our numbers, newest first',
  request: { query: z.strictObject({ messageId: z.string().optional(), needsHuman: z.enum(['true', 'false']).optional(), ...paging }) },
  responses: { 200: jsonOf(pageOf(inboundSchema), 'One page.'), ...refusals },
});

const handledRoute = apiRoute({
  method: 'post',
  path: '/texts/{id}/handled',
  scope: 'write',
  tags: ['responses'],
  summary: 'A human has dealt with this text',
  request: { params: z.object({ id: z.string() }), headers: idempotencyHeader },
  responses: { 200: jsonOf(z.object({ id: z.string(), handled: z.literal(true) }), 'Done, now or before.'), ...refusals },
});

const ANSWER_COLUMNS = [
  ['recipient_id', (row: AnswerView) => row.recipientId],
  ['name', (row: AnswerView) => row.name],
  ['answer', (row: AnswerView) => row.key],
  ['label', (row: AnswerView) => row.label],
  ['way', (row: AnswerView) => row.way],
  ['answered_at', (row: AnswerView) => row.at],
  ['first_answer', (row: AnswerView) => row.firstKey],
  ['first_at', (row: AnswerView) => row.firstAt],
  ['changes', (row: AnswerView) => row.changes],
  ['eta_at', (row: AnswerView) => row.etaAt],
  ['note', (row: AnswerView) => row.note],
] as const;

const EDGE_COLUMNS = [
  ['recipient_id', (row: SpreadEdge) => row.recipientId],
  ['name', (row: SpreadEdge) => row.name],
  ['parent_id', (row: SpreadEdge) => row.parentId],
  ['parent_name', (row: SpreadEdge) => row.parentName],
  ['generation', (row: SpreadEdge) => row.generation],
  ['channel', (row: SpreadEdge) => row.channel],
  ['joined_at', (row: SpreadEdge) => row.joinedAt],
] as const;

/** Answers, spread and inbound texts, under /v1. */
export function responsesRoutes(_deps: Deps): ApiRouter {
  const routes = new ApiRouter();

  routes.openapi(answersRoute, async (c) => {
    const { id } = c.req.valid('param');
    const { format: wanted, ...query } = c.req.valid('query');
    if (wanted !== 'csv') return c.json(await listAnswers(c.var.ctx, id, query), 200);
    return csvResponse(c, `${id}-answers.csv`, ANSWER_COLUMNS, await begun(streamAnswers(c.var.ctx, id, query.key)));
  });

  routes.openapi(spreadRoute, async (c) => {
    const { id } = c.req.valid('param');
    const { format: wanted, ...query } = c.req.valid('query');
    if (wanted !== 'csv') return c.json(await listSpread(c.var.ctx, id, query), 200);
    return csvResponse(c, `${id}-spread.csv`, EDGE_COLUMNS, await begun(streamSpread(c.var.ctx, id)));
  });

  routes.openapi(inboundRoute, async (c) => {
    const { needsHuman, ...query } = c.req.valid('query');
    return c.json(await listInbound(c.var.ctx, { ...query, needsHuman: needsHuman === 'true' }), 200);
  });

  routes.openapi(handledRoute, async (c) => {
    const { id } = c.req.valid('param');
    await markHandled(c.var.ctx, id);
    return c.json({ id, handled: true as const }, 200);
  });

  return routes;
}

/** Reads the first page before the answer begins, so that a refusal is still a problem and not half a file. */
async function begun<T>(pages: AsyncGenerator<T>): Promise<AsyncIterable<T>> {
  const first = await pages.next();
  return (async function* () {
    if (!first.done) yield first.value;
    yield* pages;
  })();
}
