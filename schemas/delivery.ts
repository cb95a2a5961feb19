/** The closed vocabularies of a message and its deliveries. The database enums carry the same words. */

export { ANSWER_WAYS, type AnswerWay, type Channel, CHANNELS } from './channel-facts.ts';

/** Class of a message; it is also its lane. life: never lost; ops: at least once, one resend; bulk: never twice. */
export const MESSAGE_CLASSES = ['life', 'ops', 'bulk'] as const;
export type MessageClass = (typeof MESSAGE_CLASSES)[number];

export const DELIVERY_STATES = ['pending', 'attempting', 'accepted', 'unknown', 'delivered', 'failed', 'expired', 'cancelled', 'unresolved'] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/**
 * State of a message. draft -> (scheduled ->) live -> completed | stopped | expired.
 * `live`: calls are being made or may still be made; `completed`: every delivery is settled, answers are still taken.
 */
export const MESSAGE_STATES = ['draft', 'scheduled', 'live', 'completed', 'stopped', 'expired'] as const;
export type MessageState = (typeof MESSAGE_STATES)[number];

/** Why a scheduled start was not made and the message is a draft again, for a person to decide. */
export const RETURN_REASONS = ['missed_start', 'audience_changed', 'empty_audience'] as const;
export type ReturnReason = (typeof RETURN_REASONS)[number];

/** Roles of people who sign in to the console. */
export const USER_ROLES = ['admin', 'coordinator', 'viewer'] as const;
export type UserRole = (typeof USER_ROLES)[number];
