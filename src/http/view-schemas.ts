import { z } from '@hono/zod-openapi';
import { audienceSchema } from '#schemas/audience.ts';
import { CHANNELS, DELIVERY_STATES, MESSAGE_CLASSES, MESSAGE_STATES, RETURN_REASONS } from '#schemas/delivery.ts';
import { answerOptionSchema, planStepSchema } from '#schemas/message.ts';
import type { ChannelForecast, DeliveryView, Fact, Forecast, MessageView } from '#schemas/views.ts';

// The shapes of answers for the OpenAPI document. Their types hold them equal to what the verbs return.

const count = z.int().min(0);
const time = z.iso.datetime({ offset: true });
const maybeTime = time.nullable();

/** It has a name in the document, since it contains itself. */
export const namedAudience = audienceSchema.openapi('Audience');

const stateCounts = z.object({
  pending: count,
  attempting: count,
  accepted: count,
  unknown: count,
  delivered: count,
  failed: count,
  expired: count,
  cancelled: count,
  unresolved: count,
} satisfies Record<(typeof DELIVERY_STATES)[number], typeof count>);

const channelForecast = z.object({
  channel: z.enum(CHANNELS),
  people: count,
  units: count.openapi({ description: 'Over all calls: SMS parts, else messages.' }),
  unitsPerSecond: z.number().nullable().openapi({ description: 'Of the sender as it is now; null: as fast as the provider takes it.' }),
  unitsPerCall: count.openapi({ description: "What one call takes of the sender's rate: SMS parts of the longest rendering." }),
  unitsAhead: z.number().openapi({ description: 'Of other messages that wait at this sender and go before these or in turns with them.' }),
  held: count.openapi({ description: 'Calls that wait for the end of quiet hours.' }),
  late: count.openapi({ description: 'Calls whose turn comes only after the message has expired, so that they are not made.' }),
  seconds: z.number().nullable().openapi({ description: 'From launch to the last call; null where nothing but the provider holds it back.' }),
} satisfies { [K in keyof ChannelForecast]: z.ZodType });

export const forecastSchema: z.ZodType<Forecast> = z.object({
  seconds: z.number().nullable().openapi({ description: 'From launch to the last hand-over; null where no sender has a rate and nobody has to wait.' }),
  perChannel: z.array(channelForecast),
});

const factSchema: z.ZodType<Fact> = z.object({
  firstCallSeconds: z.number().nullable().openapi({ description: 'From launch; null until the first call has left.' }),
  seconds: z.number().nullable().openapi({ description: 'From launch to the last hand-over so far; final once the message is no longer live.' }),
  perChannel: z.array(z.object({ channel: z.enum(CHANNELS), people: count, units: count, seconds: z.number().nullable() })),
});

export const messageViewSchema = z
  .object({
    id: z.string().openapi({ example: 'msg_4vyHJh2tDQTB5s0yZ0pXQA' }),
    state: z.enum(MESSAGE_STATES),
    class: z.enum(MESSAGE_CLASSES),
    drill: z.boolean(),
    kind: z.enum(['original', 'correction', 'all_clear', 'join']),
    followsId: z.string().nullable(),
    title: z.string().nullable(),
    text: z.record(z.string(), z.string()),
    says: z
      .record(z.string(), z.object({ who: z.string(), where: z.string(), instruction: z.string(), issuer: z.string() }).partial())
      .nullable()
      .openapi({ description: 'Per locale; frozen at launch. What the text does not say itself stands below it in every channel.' }),
    fallbackLocale: z.string(),
    answerOptions: z.array(answerOptionSchema),
    share: z.boolean(),
    plan: z.array(planStepSchema.required()),
    audience: z.object({ expression: namedAudience, count: count.nullable(), hash: z.string().nullable() }),
    deliveries: stateCounts.openapi({ description: 'Over all waves and channels; the sum is the number of planned deliveries.' }),
    waves: z.array(stateCounts.extend({ wave: count, channel: z.enum(CHANNELS), planned: count, units: count })),
    answers: z.record(z.string(), count).openapi({ description: 'People per answer key in force now; `none`: asked and silent.' }),
    spread: z.object({ shares: count, visits: count, joins: count, generations: count }),
    unreadBounces: count.openapi({ description: 'Mails of other mail servers about mails of this message that could not be read; nothing of them is kept.' }),
    times: z.object({
      createdAt: time,
      startAt: maybeTime,
      expiresAt: maybeTime,
      launchedAt: maybeTime,
      firstCallAt: maybeTime,
      lastCallAt: maybeTime,
      completedAt: maybeTime,
      stoppedAt: maybeTime,
    }),
    createdBy: z.string(),
    minutesToCorrection: z
      .number()
      .nullable()
      .openapi({ description: 'From the launch to the first correction; of a correction or all clear: from the launch of the message that it follows.' }),
    stoppedBy: z.string().nullable().openapi({ description: 'Who stopped it, or `guard:` and the send guard that it broke after its launch.' }),
    returned: z.enum(RETURN_REASONS).nullable().openapi({ description: 'Why a scheduled start was not made, so that the message is a draft again.' }),
    forecast: forecastSchema.nullable().openapi({ description: 'As it stood at launch.' }),
    fact: factSchema.nullable().openapi({ description: 'What really happened, beside the forecast; null before launch.' }),
  } satisfies { [K in keyof MessageView]: z.ZodType })
  .openapi('Message');

export const deliveryViewSchema = z
  .object({
    recipientId: z.string(),
    name: z.string().nullable(),
    channel: z.enum(CHANNELS),
    wave: count,
    state: z.enum(DELIVERY_STATES),
    attempts: count,
    code: z.string().nullable().openapi({ description: 'Raw code of the provider, or our own reason.' }),
    markedAt: maybeTime,
    settledAt: maybeTime,
    providerId: z.string().nullable(),
    doubt: z.string().nullable().openapi({
      description: 'Of one in doubt: what is known and what is not.',
      example: 'sent at 14:02:11 UTC, no answer from the carrier: may or may not have it',
    }),
  } satisfies { [K in keyof DeliveryView]: z.ZodType })
  .openapi('Delivery');

export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().nullable().openapi({ description: 'Cursor of the next page; null on the last.' }) });

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().openapi({ description: 'Stable; for programs.' }),
    detail: z.string(),
    errors: z.array(z.object({ field: z.string(), code: z.string(), detail: z.string() })),
    requestId: z.string(),
  })
  .openapi('Problem');

const problem = (description: string) => ({ description, content: { 'application/problem+json': { schema: problemSchema } } });

/** The refusal also holds `etag`, the tag of the draft as it is now. */
export const preconditionFailed = problem('It is no longer what If-Match names; `etag` is what it is now.');

/** Refusals that any route under /v1 may give. */
export const refusals = {
  401: problem('No valid API key.'),
  403: problem('The key lacks the scope.'),
  404: problem('No such thing in this tenant.'),
  409: problem('The state does not allow this now; or the first request with this Idempotency-Key still runs.'),
  422: problem('A field is not valid, unknown, or refused by a rule; or the Idempotency-Key was used for another request.'),
  503: problem('The database cannot be reached; repeat after Retry-After.'),
} as const;

export const idempotencyHeader = z.object({
  'idempotency-key': z
    .string()
    .optional()
    .openapi({ description: 'The same key and the same request give the first answer again for 24 hours.', example: '5f3c6f0a-6d0e-4a6a-9d0b-4a1f5b8d1c2e' }),
});

export const jsonOf = <T extends z.ZodType>(schema: T, description: string) => ({ description, content: { 'application/json': { schema } } });
