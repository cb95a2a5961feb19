import { createHash } from 'node:crypto';
import { Problem } from '#platform/errors.ts';
import type { MessageView } from '#schemas/views.ts';

/** The entity tag (RFC 9110, 8.8.3) of what a change can change in a draft: equal words, equal tag, whoever wrote them. */
export function draftTag(message: MessageView): string {
  const { class: kind, title, text, says, fallbackLocale, answerOptions, share, plan, audience, times } = message;
  const content = [
    kind,
    title,
    text,
    says,
    fallbackLocale,
    answerOptions,
    share,
    plan,
    audience.expression,
    times.startAt,
    times.expiresAt,
  ];
  return `"${createHash('sha256').update(JSON.stringify(content)).digest('base64url').slice(0, 22)}"`;
}

/**
 * Refuses a change of a draft that is no longer the one its writer has seen. `wanted`: the value of If-Match, with one tag
 * or several, or `*` for any; weak tags match nothing, as RFC 9110, 13.1.1 has it.
 *
 * @throws Problem 412 `draft_changed` with the present `etag`
 */
export function requireTag(message: MessageView, wanted: string): void {
  const etag = draftTag(message);
  const tags = wanted.split(',').map((tag) => tag.trim());
  if (tags.includes('*') || tags.includes(etag)) return;
  throw new Problem(412, 'draft_changed', 'Somebody changed this draft since you read it: read it again, then change it.', {
    extra: { etag },
  });
}
