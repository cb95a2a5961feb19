import { wordingOf } from '#domain/message/wording.ts';
import { fillTemplate } from '#domain/message/template.ts';
import type { Contents, SlotValues } from '#domain/delivery/channel.ts';
import type { RenderInput } from '#render/render-input.ts';
import { renderMessage } from '#render/render-message.ts';
import { CHANNEL_FACTS, type Channel, CHANNELS, type Rendering } from '#schemas/channel-facts.ts';
import type { MessageInput } from '#schemas/message.ts';
import type { WordingInput } from '#schemas/wording.ts';
import { type Context, inTenant } from '#services/context.ts';
import { standingWording } from './wording.ts';

/** What one person would see, with a sample name and shortened links. */
export interface SampleView {
  locale: string;
  /** On every channel, in their order. */
  channels: ({ channel: Channel } & ChannelSample)[];
}

export type ChannelSample = { [R in Rendering]: { renders: R } & Samples[R] }[Rendering];

interface Samples {
  short_text: { text: string };
  notification: { title: string; body: string; actions: string[] };
  mail: { subject: string; text: string };
}

const SAMPLES: { readonly [R in Rendering]: (content: Contents[R], slots: SlotValues) => { renders: R } & Samples[R] } = {
  short_text: ({ body }, slots) => ({ renders: 'short_text', text: fillTemplate(body, slots) }),
  notification: ({ title, body, actions }, slots) => ({
    renders: 'notification',
    title: fillTemplate(title, slots),
    body: fillTemplate(body, slots),
    actions: actions.map((action) => action.title),
  }),
  mail: ({ subject, text }, slots) => ({ renders: 'mail', subject: fillTemplate(subject, slots), text: fillTemplate(text, slots) }),
};

function sampleOf(message: RenderInput, locale: string, channel: Channel, slots: SlotValues): ChannelSample {
  const sample: (content: never, slots: SlotValues) => ChannelSample = SAMPLES[CHANNEL_FACTS[channel].renders];
  return sample(renderMessage(message, locale, channel) as never, slots);
}

type SampleInput = Pick<MessageInput, 'class' | 'drill' | 'text' | 'answers' | 'share'> & {
  says?: WordingInput | null | undefined;
  title?: string | null | undefined;
  expiresAt?: string | null | undefined;
  kind?: RenderInput['kind'];
};

/** Renders a message for every locale that it is written in, as each channel would show it. Nothing is stored. */
export async function renderSample(ctx: Context, input: SampleInput): Promise<SampleView[]> {
  const tenant = await inTenant(ctx, (tx) =>
    tx.selectFrom('tenants').select(['name', 'time_zone', 'policy']).where('tenant_id', '=', ctx.tenantId).executeTakeFirstOrThrow(),
  );
  const { publicUrl } = ctx.config;
  const message: RenderInput = {
    class: input.class,
    drill: input.drill,
    kind: input.kind ?? 'original',
    repeatCode: 'K7F',
    title: input.title ?? null,
    text: input.text,
    said: wordingOf(Object.keys(input.text), input.says ?? {}, input.class === 'life' ? standingWording(tenant) : {}),
    fallbackLocale: Object.keys(input.text)[0] ?? 'en',
    answers: input.answers,
    share: input.share,
    tenantName: tenant.name,
    publicUrl,
    expiresAt: input.expiresAt ? new Date(input.expiresAt) : null,
    timeZone: tenant.time_zone ?? 'UTC',
    now: new Date(ctx.clock.now()),
    topicKey: 'sample',
  };
  const slots: SlotValues = {
    name: 'Alex Morgan',
    firstName: 'Alex',
    link: `${publicUrl}/r/…`,
    shareLink: `${publicUrl}/s/…`,
    unsubscribeLink: `${publicUrl}/u/…`,
  };
  return Object.keys(input.text).map((locale) => ({
    locale,
    channels: CHANNELS.map((channel) => ({ channel, ...sampleOf(message, locale, channel, slots) })),
  }));
}
