import { wordingOf } from '#domain/message/wording.ts';
import { fillTemplate } from '#domain/message/template.ts';
import type { MailContent, NotificationContent, SlotValues, ShortTextContent } from '#domain/delivery/channel.ts';
import type { RenderInput } from '#render/render-input.ts';
import { renderMessage } from '#render/render-message.ts';
import type { MessageInput } from '#schemas/message.ts';
import type { WordingInput } from '#schemas/wording.ts';
import { type Context, inTenant } from '#services/context.ts';
import { standingWording } from './wording.ts';

/** What one person would see, with a sample name and shortened links. */
export interface SampleView {
  locale: string;
  sms: string;
  push: { title: string; body: string; actions: string[] };
  email: { subject: string; text: string };
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
  return Object.keys(input.text).map((locale) => {
    const sms = renderMessage(message, locale, 'sms') as ShortTextContent;
    const push = renderMessage(message, locale, 'push') as NotificationContent;
    const email = renderMessage(message, locale, 'email') as MailContent;
    return {
      locale,
      sms: fillTemplate(sms.body, slots),
      push: { title: fillTemplate(push.title, slots), body: fillTemplate(push.body, slots), actions: push.actions.map((action) => action.title) },
      email: { subject: fillTemplate(email.subject, slots), text: fillTemplate(email.text, slots) },
    };
  });
}
