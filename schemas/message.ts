import { z } from 'zod';
import { audienceSchema } from './audience.ts';
import { CHANNELS, DEFAULT_CHANNELS } from './channel-facts.ts';
import { MESSAGE_CLASSES } from './delivery.ts';
import { isSeen, saysSomething } from './visible-text.ts';

/** BCP 47 language tag; unknown or malformed tags are refused. */
export const localeSchema = z.string().max(35).refine(isLocale, { message: 'not a BCP 47 language tag that this installation knows, such as "en" or "pt-BR"' });

/** Made once: 60 us each, and a body of a megabyte can name 60,000 languages. */
const languageNames = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' });

function isLocale(tag: string): boolean {
  try {
    return languageNames.of(new Intl.Locale(tag).language) !== undefined;
  } catch {
    return false;
  }
}

// Control characters other than line feed have no meaning in a message and can forge headers downstream.
const printable = (max: number) =>
  z
    .string()
    .trim()
    .min(1)
    .max(max)
    .refine((text) => !/[^\P{Cc}\n]/u.test(text), 'contains control characters')
    .refine(isSeen, 'holds invisible characters alone');

/** What must tell a person something: punctuation alone does not. */
const telling = (max: number) => printable(max).refine(saysSomething, 'holds no letter or digit that can be seen');

export const answerOptionSchema = z.strictObject({
  /** What a person may type in an SMS, and the key in every count. */
  key: z.string().regex(/^[a-z0-9_-]{1,20}$/, 'must be 1-20 of a-z, 0-9, _ and -'),
  label: printable(60),
  /** Whether this answer counts as coming (yes) or not. */
  counts: z.boolean().optional(),
});
export type AnswerOption = z.infer<typeof answerOptionSchema>;

const channelSchema = z.enum(CHANNELS);

/** One wave of a plan. `afterSeconds` counts from launch; later waves go to those selected by `to`. */
export const planStepSchema = z.strictObject({
  channels: z.array(channelSchema).min(1).max(CHANNELS.length),
  /** first: each person gets the first channel of the list that reaches them; parallel: every channel that does. */
  mode: z.enum(['first', 'parallel']).default('first'),
  afterSeconds: z.int().min(0).max(86_400).default(0),
  to: z.enum(['all', 'not_answered', 'not_reached']).default('not_answered'),
});
export type PlanStep = z.infer<typeof planStepSchema>;

/** A list of channels (the class decides how they combine) or an explicit plan of waves. */
const channelsSchema = z.union([
  z
    .array(channelSchema)
    .min(1)
    .max(CHANNELS.length)
    .refine((c) => new Set(c).size === c.length, { message: 'a channel may appear once' }),
  z.strictObject({ plan: z.array(planStepSchema).min(1).max(6) }),
]);

/** What a launch may ask back. */
export const QUESTIONS = ['rejected_rows', 'repeated_text'] as const;
export type Question = (typeof QUESTIONS)[number];

/** Questions that the caller was asked (409 with this code) and means all the same. */
export const acknowledgeSchema = z.array(z.enum(QUESTIONS)).max(QUESTIONS.length).optional();

const saysPart = (max: number) => z.union([telling(max), z.record(localeSchema, telling(max))]).optional();

/** One wording for every language, or one per locale. What the text says already, word for word, is not said twice. */
export const saysSchema = z.strictObject({ who: saysPart(160), where: saysPart(160), instruction: saysPart(500), issuer: saysPart(160) });

export const messageInputSchema = z.strictObject({
  class: z.enum(MESSAGE_CLASSES),
  drill: z.boolean().default(false),
  title: printable(120).optional(),
  /** Text per locale; slots: {{name}}, {{first_name}}, {{link}}. The first locale is the fallback. */
  text: z.record(localeSchema, telling(1600)).refine((t) => Object.keys(t).length > 0, { message: 'at least one locale is needed' }),
  /** What is not given here the organisation's standing words say. */
  says: saysSchema.optional(),
  audience: audienceSchema,
  channels: channelsSchema.default([...DEFAULT_CHANNELS]),
  answers: z
    .array(answerOptionSchema)
    .max(9)
    .default([])
    .refine((a) => new Set(a.map((o) => o.key)).size === a.length, { message: 'answer keys must differ' }),
  share: z.boolean().default(false),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
  startAt: z.iso.datetime({ offset: true }).optional(),
  launch: z.boolean().default(false),
  /** With `launch`: refuse unless the audience still has this hash. */
  audienceHash: z.string().max(64).optional(),
  acknowledge: acknowledgeSchema,
});
export type MessageInput = z.infer<typeof messageInputSchema>;

const { shape } = messageInputSchema;

/** A change of a draft: what is given is set, `null` clears, what is left out stays. A drill never becomes real, nor the reverse. */
export const messageChangeSchema = z.strictObject({
  class: shape.class.optional(),
  title: printable(120).nullable().optional(),
  text: shape.text.optional(),
  says: saysSchema.nullable().optional(),
  audience: audienceSchema.optional(),
  channels: channelsSchema.optional(),
  answers: shape.answers.unwrap().optional(),
  share: z.boolean().optional(),
  expiresAt: z.iso.datetime({ offset: true }).nullable().optional(),
  startAt: z.iso.datetime({ offset: true }).nullable().optional(),
});
export type MessageChange = z.infer<typeof messageChangeSchema>;

export const previewInputSchema = z.strictObject({
  audience: audienceSchema,
  class: z.enum(MESSAGE_CLASSES).default('ops'),
  drill: z.boolean().default(false),
  channels: channelsSchema.default([...DEFAULT_CHANNELS]),
  text: messageInputSchema.shape.text.optional(),
  says: saysSchema.optional(),
  answers: messageInputSchema.shape.answers,
  share: z.boolean().default(false),
  /** The forecast needs both times: they say who waits for the end of quiet hours, and whose turn comes too late. */
  startAt: messageInputSchema.shape.startAt,
  expiresAt: messageInputSchema.shape.expiresAt,
});
export type PreviewInput = z.infer<typeof previewInputSchema>;
