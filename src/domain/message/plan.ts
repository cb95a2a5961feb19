import type { MessageClass } from '#schemas/delivery.ts';
import type { MessageInput, PlanStep } from '#schemas/message.ts';

/** Makes one wave of a list of channels: life goes by every channel that reaches a person, ops and bulk by the first. */
export function planOf(messageClass: MessageClass, channels: MessageInput['channels']): PlanStep[] {
  if (!Array.isArray(channels)) return channels.plan.map((step, i) => ({ ...step, to: i === 0 ? 'all' : step.to }));
  return [{ channels, mode: messageClass === 'life' ? 'parallel' : 'first', afterSeconds: 0, to: 'all' }];
}

const HOUR_MS = 3_600_000;

/** The longest life of a message of each class, in hours. */
export const MAX_LIFE_HOURS: Record<MessageClass, number> = { life: 24, ops: 24, bulk: 72 };

export interface ExpiryProblem {
  code: 'expiry_required' | 'expired' | 'expiry_too_late' | 'expiry_before_start';
  detail: string;
}

/**
 * Decides when a message expires. A life message must say it; the others get the longest life of their class. All times are
 * milliseconds since the epoch.
 */
export function expiryOf(messageClass: MessageClass, expiresAt: number | null, startAt: number | null, now: number): { expiresAt: number } | ExpiryProblem {
  const from = Math.max(startAt ?? now, now);
  const latest = from + MAX_LIFE_HOURS[messageClass] * HOUR_MS;
  if (expiresAt === null) {
    if (messageClass === 'life') return { code: 'expiry_required', detail: 'a life message must say until when it is valid: an RFC 3339 time within 24 hours' };
    return { expiresAt: latest };
  }
  if (expiresAt <= now) return { code: 'expired', detail: 'is in the past; give a time that is still to come' };
  if (expiresAt <= from) return { code: 'expiry_before_start', detail: 'must be later than startAt' };
  // A clock that differs from ours has a minute of grace.
  if (expiresAt > latest + 60_000)
    return { code: 'expiry_too_late', detail: `a ${messageClass} message lives at most ${MAX_LIFE_HOURS[messageClass]} hours from its start` };
  return { expiresAt };
}

/** The repeat code of a message, which people can read to each other: 3 of 29 letters and digits, none mistaken for another. */
export function repeatCodeOf(messageId: string): string {
  const alphabet = '23456789ABCDEFGHJKMNPQRTUVWXY';
  // A fixed odd multiplier spreads neighbouring ids over the 24,389 codes.
  let n = Number((BigInt(messageId) * 7_919n + 12_345n) % 24_389n);
  let code = '';
  for (let i = 0; i < 3; i++, n = Math.floor(n / 29)) code = alphabet[n % 29] + code;
  return code;
}
