import { z } from 'zod';
import type { MessageClass } from './delivery.ts';
import { localeSchema, saysSchema } from './message.ts';
import { saysSomething } from './visible-text.ts';
import type { WordingInput } from './wording.ts';

function canonicalZone(name: string): string | undefined {
  try {
    // An offset such as +02:00 is accepted by Intl but knows no summer time.
    return /^[+-]/.test(name) ? undefined : new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}

/** An IANA time zone that this runtime knows, in its canonical spelling. */
export const timeZoneSchema = z
  .string()
  .max(64)
  .refine((name) => canonicalZone(name) !== undefined, { message: 'not an IANA time zone that this installation knows, such as "Europe/London"' })
  .overwrite((name) => canonicalZone(name) ?? name);

const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as 21:00');

export const quietHoursSchema = z
  .strictObject({ from: clock, to: clock })
  .refine((hours) => hours.from !== hours.to, { message: 'must end at another time than it begins', path: ['to'] });

const people = z.int().min(0).max(1_000_000_000).nullable();

/** A change of an organisation's settings: what is given is set, `null` clears, what is left out stays. */
export const settingsChangeSchema = z.strictObject({
  name: z.string().trim().min(1).max(100).refine(saysSomething, 'holds no letter or digit that can be seen').optional(),
  /** Language of people who have none of their own. */
  defaultLocale: localeSchema.optional(),
  /** ISO 3166-1, of telephone numbers that are written without a country. */
  defaultCountry: z
    .string()
    .regex(/^[A-Z]{2}$/, 'must be an ISO 3166-1 code such as US')
    .optional(),
  /** Zone in which times are told to people who have none of their own; null: UTC. */
  timeZone: timeZoneSchema.nullable().optional(),
  /** On the clock of each person: no campaign (bulk) is sent then. Null: at any hour. */
  quietHours: quietHoursSchema.nullable().optional(),
  /** A message to more people than this needs a second person's approval; null: never. What is left out stays. */
  approvalAbove: z.strictObject({ life: people.optional(), ops: people.optional(), bulk: people.optional() }).optional(),
  /** Whether a message to more than twice as many people as any before needs a second person too. */
  doubling: z.boolean().optional(),
  /** Messages that one person may be sent within an hour; null: any number. Life is always sent, and counts. */
  hourlyCeiling: z.int().min(1).max(1_000).nullable().optional(),
  /** Whether programs are asked back before what looks like a slip, as people always are. */
  asksPrograms: z.boolean().optional(),
  /** Standing words of life messages, for what a message does not say itself. Without an issuer it is the name. Replaced as a whole. */
  says: saysSchema.optional(),
});
export type SettingsChange = z.infer<typeof settingsChangeSchema>;

/** What an organisation has decided for all its messages. */
export interface SettingsView {
  name: string;
  defaultLocale: string;
  defaultCountry: string;
  timeZone: string | null;
  quietHours: { from: string; to: string } | null;
  approvalAbove: Readonly<Record<MessageClass, number | null>>;
  doubling: boolean;
  hourlyCeiling: number | null;
  asksPrograms: boolean;
  says: WordingInput;
}
