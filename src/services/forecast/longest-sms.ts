import type { ChannelRendering } from '#schemas/channel-facts.ts';
import type { RenderInput } from '#render/render-input.ts';
import { renderMessage } from '#render/render-message.ts';
import { linkLength, MAX_NAME_CHARACTERS } from '#render/slot-values.ts';
import { templateSegments } from '#domain/message/segments.ts';

/** Segments of the longest locale with the longest name: what a sender's budget is asked for, since less would overdraw it. */
export function longestSms(input: RenderInput, channel: ChannelRendering<'short_text'>): number {
  const link = 'x'.repeat(linkLength(input.publicUrl));
  const lengths = { name: MAX_NAME_CHARACTERS, firstName: MAX_NAME_CHARACTERS, link, shareLink: link };
  return Math.max(
    ...Object.keys(input.text).map((locale) => {
      return templateSegments(renderMessage(input, locale, channel).body, lengths).segments;
    }),
  );
}
