import { z } from 'zod';
import { MESSAGE_CLASSES, type MessageClass } from './delivery.ts';

const text = z.string().max(500);
const list = z.array(z.string().max(100)).max(200);

/** One person, written by the API. What each field must hold is checked by the same rules as an import file. */
export const recipientInputSchema = z.strictObject({
  /** Your own id of the person. */
  externalId: text.optional(),
  name: text.optional(),
  /** As people write it; kept in E.164. Without + it is read in the tenant's default country. */
  phone: text.optional(),
  email: text.optional(),
  /** BCP 47. */
  locale: text.optional(),
  /** IANA. */
  timeZone: text.optional(),
  lat: z.number().optional(),
  lon: z.number().optional(),
  tags: list.optional(),
  skills: list.optional(),
  /** Purposes agreed to. Left out: never asked, which allows life and ops but not bulk. */
  consent: z.array(z.enum(MESSAGE_CLASSES)).optional(),
});
export type RecipientInput = z.infer<typeof recipientInputSchema>;

const { shape } = recipientInputSchema;

/** A change: what is given is set, `null` clears, what is left out stays. */
export const recipientChangeSchema = z.strictObject({
  externalId: shape.externalId.nullable(),
  name: shape.name.nullable(),
  phone: shape.phone.nullable(),
  email: shape.email.nullable(),
  locale: shape.locale.nullable(),
  timeZone: shape.timeZone.nullable(),
  lat: shape.lat.nullable(),
  lon: shape.lon.nullable(),
  tags: shape.tags,
  skills: shape.skills,
  consent: shape.consent.nullable(),
});
export type RecipientChange = z.infer<typeof recipientChangeSchema>;

/** A browser's `PushSubscription.toJSON()`. */
export const pushSubscriptionSchema = z.strictObject({
  endpoint: z.string().min(1).max(2048),
  expirationTime: z.number().nullable().optional(),
  keys: z.strictObject({ p256dh: z.string().min(1).max(200), auth: z.string().min(1).max(100) }),
});
export type PushSubscriptionInput = z.infer<typeof pushSubscriptionSchema>;

/** One person as the API and the console show it. */
export interface RecipientView {
  id: string;
  externalId: string | null;
  name: string | null;
  phone: string | null;
  email: string | null;
  locale: string | null;
  timeZone: string | null;
  lat: number | null;
  lon: number | null;
  tags: string[];
  skills: string[];
  /** null: never asked. */
  consent: MessageClass[] | null;
  /** Browsers that take notifications for this person. */
  pushSubscriptions: number;
  /** Since when the address is known to be dead. */
  phoneInvalidAt: string | null;
  emailInvalidAt: string | null;
  origin: 'import' | 'api' | 'share';
  /** Who brought this person, and how far from the first broadcast. */
  parentId: string | null;
  generation: number;
  createdAt: string;
  updatedAt: string;
}

export interface SuppressionView {
  senderId: string;
  address: string;
  reason: 'opted_out' | 'no_mailbox' | 'complaint' | 'manual';
  source: string;
  createdAt: string;
}
