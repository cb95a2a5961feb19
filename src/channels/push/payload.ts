import { hash } from 'node:crypto';
import { prepareTemplate } from '#channels/fill.ts';
import type { NotificationContent, Target } from '#domain/delivery/channel.ts';
import { MAX_PLAINTEXT_BYTES } from './constants.ts';

/** The same delivery has the same tag, so that a resend replaces what is on the screen instead of showing twice. */
export const notificationTag = (ref: string): string => hash('sha256', ref, 'base64url').slice(0, 16);

/** Cuts at a code point, so that no half of a surrogate pair is left. */
const shorten = (text: string, characters: number): string => `${[...text].slice(0, characters).join('')}…`;

/**
 * Makes the notification in the shape of Declarative Web Push (web_push 8030): Safari shows it without a service worker, and
 * the other browsers' workers read the same JSON. A body too long for RFC 8030's 4096 bytes is cut, since the whole text is
 * behind the link.
 *
 * @returns undefined when it does not fit even with an empty body
 */
export function preparePayload(content: NotificationContent, beaconBase: string): (target: Target) => Buffer | undefined {
  const title = prepareTemplate(content.title);
  const body = prepareTemplate(content.body);
  return ({ slots, ref }) => {
    const build = (text: string): Buffer =>
      Buffer.from(
        JSON.stringify({
          web_push: 8030,
          notification: {
            title: title(slots),
            body: text,
            navigate: slots.link ?? '',
            lang: content.lang,
            tag: notificationTag(ref),
            actions: content.actions,
            data: { link: slots.link ?? '', beacon: `${beaconBase}/${ref}` },
          },
        }),
      );
    const text = body(slots);
    let payload = build(text);
    if (payload.length <= MAX_PLAINTEXT_BYTES) return payload;
    // Each round drops at least the surplus bytes, four bytes a character at most, so this ends.
    for (let keep = [...text].length; payload.length > MAX_PLAINTEXT_BYTES; payload = build(shorten(text, keep))) {
      keep -= Math.ceil((payload.length - MAX_PLAINTEXT_BYTES) / 4) + 1;
      if (keep < 0) return undefined;
    }
    return payload;
  };
}
