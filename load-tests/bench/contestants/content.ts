import type { ContentOf, SlotValues } from '#domain/delivery/channel.ts';
import { renderMessage } from '#render/render-message.ts';
import type { Channel } from '#schemas/delivery.ts';

/** The same message as Muster sends, rendered by its own code, so that all contestants put the same bytes on the wire. */
export function contentOf<C extends Channel>(channel: C): ContentOf<C> {
  return renderMessage(
    {
      class: 'bulk',
      drill: false,
      kind: 'original',
      repeatCode: '2K7',
      title: 'Volunteers needed',
      text: { en: 'No 000000: sandbags at the north gate, 18:00. {{link}}' },
      said: null,
      fallbackLocale: 'en',
      answers: [
        { key: 'yes', label: 'Yes', counts: true },
        { key: 'no', label: 'No' },
      ],
      share: false,
      tenantName: 'Bench',
      publicUrl: 'http://127.0.0.1:10000',
      expiresAt: new Date(Date.now() + 3 * 3_600_000),
      now: new Date(),
      topicKey: '1',
    },
    'en',
    channel,
  );
}

/** A number as 23 characters, the length of a sealed token. Only Muster pays for the sealing itself. */
export const tokenOf = (i: number): string => `a${String(i).padStart(22, '0')}`;

export const slotsOf = (i: number): SlotValues => ({
  name: 'Volunteer Number',
  firstName: 'Volunteer',
  link: `http://127.0.0.1:10000/r/${tokenOf(i)}`,
  unsubscribeLink: `http://127.0.0.1:10000/u/${tokenOf(i)}`,
});
