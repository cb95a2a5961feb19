import { drillProblems } from '#domain/message/drill-text.ts';
import { expiryOf } from '#domain/message/plan.ts';
import { missingWording } from '#domain/message/wording.ts';
import { type FieldError, invalidFields } from '#platform/errors.ts';
import { assertSlots } from '#render/render-message.ts';
import type { Audience } from '#schemas/audience.ts';
import type { MessageInput } from '#schemas/message.ts';
import type { Wording } from '#schemas/wording.ts';
import type { Context } from '#services/context.ts';

/** A draft made from an alert is kept with these faults, since the alert is kept as it came; it cannot be launched with them. */
const ALERT_MAY = new Set(['expiry_required', 'expired']);

/**
 * Checks what a message says by itself, whoever it goes to.
 * @returns when it expires
 * @throws Problem 422 naming the fields
 */
export function checkedExpiry(
  ctx: Context,
  input: Omit<MessageInput, 'launch' | 'audienceHash' | 'acknowledge'>,
  { wording, tenantName }: { wording: Wording | null; tenantName?: string },
  fromAlert: boolean,
): Date | null {
  const problems: FieldError[] = [...assertSlots(input.text), ...unknownIds(ctx, input.audience, 'audience')];
  const startAt = input.startAt === undefined ? null : Date.parse(input.startAt);
  const expiry = expiryOf(input.class, input.expiresAt === undefined ? null : Date.parse(input.expiresAt), startAt, ctx.clock.now());
  if ('code' in expiry && !(fromAlert && ALERT_MAY.has(expiry.code))) problems.push({ field: 'expiresAt', ...expiry });
  if (input.class === 'life' && !fromAlert) problems.push(...missingWording(Object.keys(input.text), wording));
  problems.push(...drillProblems({ ...input, said: wording, tenantName }));
  if (problems.length > 0) throw invalidFields('invalid_message', problems);
  if (!('code' in expiry)) return new Date(expiry.expiresAt);
  return input.expiresAt === undefined ? null : new Date(input.expiresAt);
}

/** Errors for the ids in an audience that this installation never gave out; `path` is the audience's field. */
export function unknownIds(ctx: Context, audience: Audience, path: string): FieldError[] {
  if ('ids' in audience)
    return audience.ids.flatMap((id, i) =>
      ctx.ids.decode('rcp', id) === undefined
        ? [{ field: `${path}.ids[${i}]`, code: 'unknown_recipient', detail: 'is not the id of a recipient (rcp_…)' }]
        : [],
    );
  if ('and' in audience) return audience.and.flatMap((one, i) => unknownIds(ctx, one, `${path}.and[${i}]`));
  if ('or' in audience) return audience.or.flatMap((one, i) => unknownIds(ctx, one, `${path}.or[${i}]`));
  return 'not' in audience ? unknownIds(ctx, audience.not, `${path}.not`) : [];
}
