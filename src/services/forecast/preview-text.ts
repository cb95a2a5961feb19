import type { PreviewGroup } from '#db/audience/audience-preview-sql.ts';
import type { SlotValues, ShortTextContent } from '#domain/delivery/channel.ts';
import { countSegments, type SegmentCount } from '#domain/message/segments.ts';
import { fillTemplate } from '#domain/message/template.ts';
import type { RenderInput } from '#render/render-input.ts';
import { chooseLocale, renderMessage } from '#render/render-message.ts';
import { slotValues, TOKEN_CHARACTERS } from '#render/slot-values.ts';
import type { PreviewInput } from '#schemas/message.ts';
import type { Wording } from '#schemas/wording.ts';
import type { PreviewView } from '#schemas/views.ts';
import type { Context } from '#services/context.ts';
import { longestSms } from './longest-sms.ts';

export interface TextPreview extends Pick<PreviewView, 'segments' | 'units' | 'encoding' | 'culprits'> {
  /** People by SMS whose name alone turns a cheap text into a dear one. */
  readonly namesOutsideGsm: number;
  /** What each SMS takes of its sender's rate: parts of the longest rendering. Zero without a text. */
  readonly unitsPerCall: number;
}

const NO_TEXT: TextPreview = { segments: 0, units: 0, encoding: null, culprits: [], namesOutsideGsm: 0, unitsPerCall: 0 };

/** Of a correction the first word differs. */
export type TextInput = Pick<PreviewInput, 'class' | 'drill' | 'text' | 'answers' | 'share'> & {
  kind?: RenderInput['kind'];
  said: Wording | null;
  /** Milliseconds; null where it is not known yet. */
  endsAt: number | null;
};

/**
 * SMS sizes of a message over its people: rendered exactly as it is sent, with a link of true length, and per group of people
 * a name of their size and alphabet in place of theirs.
 */
export function previewText(
  ctx: Pick<Context, 'config' | 'clock'>,
  input: TextInput,
  tenant: { readonly name: string; readonly default_locale: string; readonly time_zone: string | null },
  groups: readonly PreviewGroup[],
): TextPreview {
  const { text } = input;
  if (!text) return NO_TEXT;
  const message = renderInput(ctx, { ...input, text }, tenant);
  const bodies = new Map(Object.keys(text).map((locale) => [locale, (renderMessage(message, locale, 'sms') as ShortTextContent).body]));
  const size = (locale: string, name: string, firstName: string): SegmentCount =>
    countSegments(fillTemplate(bodies.get(locale) ?? [], { ...slotsOf(ctx), name, firstName }));
  const bare = new Map([...bodies.keys()].map((locale) => [locale, size(locale, '', '')]));

  let [units, namesOutsideGsm] = [0, 0];
  let worst: SegmentCount | undefined;
  for (const group of groups) {
    // Someone may be called in more than one wave.
    const calls = group.calls.reduce((sum, step) => sum + (step.sms ?? 0), 0);
    if (calls === 0) continue;
    const locale = chooseLocale(text, message.fallbackLocale, group.locale ?? tenant.default_locale);
    const one = size(locale, standIn(group.name_gsm, group.name_units), standIn(group.first_gsm, group.first_units));
    units += one.segments * calls;
    if (one.encoding === 'UCS-2' && bare.get(locale)?.encoding === 'GSM-7') namesOutsideGsm += group.sms;
    if (!worst || one.segments > worst.segments || (one.segments === worst.segments && one.units > worst.units)) worst = one;
  }
  // Nobody by SMS: the text's own size is still worth knowing while it is written.
  worst ??= [...bare.values()].reduce((a, b) => (b.segments > a.segments ? b : a));
  const culprits = [...bare].flatMap(([locale, rendered]) => culpritsOf(locale, text[locale] ?? '', rendered));
  return { segments: worst.segments, units, encoding: worst.encoding, culprits: culprits.slice(0, 50), namesOutsideGsm, unitsPerCall: longestSms(message) };
}

/** Positions in what the coordinator wrote; only where it is clean, in the text as sent (an answer's label, say). */
function culpritsOf(locale: string, written: string, rendered: SegmentCount): PreviewView['culprits'] {
  const own = countSegments(written).culprits;
  return (own.length > 0 ? own : rendered.culprits).map((culprit) => ({ ...culprit, locale }));
}

/** A name of this size: x takes one septet, Ж one UTF-16 unit outside GSM-7. */
const standIn = (gsm: boolean, units: number): string => (gsm ? 'x' : 'Ж').repeat(units);

function slotsOf(ctx: Pick<Context, 'config'>): SlotValues {
  const token = 'x'.repeat(TOKEN_CHARACTERS);
  return slotValues({ name: null, publicUrl: ctx.config.publicUrl, answerToken: token, shareToken: token, unsubscribeToken: token });
}

const renderInput = (
  ctx: Pick<Context, 'config' | 'clock'>,
  input: TextInput & { text: Record<string, string> },
  tenant: { readonly name: string; readonly time_zone: string | null },
): RenderInput => ({
  class: input.class,
  drill: input.drill,
  kind: input.kind ?? 'original',
  // As long as every repeat code (domain/plan.ts).
  repeatCode: 'XXX',
  title: null,
  text: input.text,
  said: input.said,
  fallbackLocale: Object.keys(input.text)[0] ?? 'en',
  answers: input.answers,
  share: input.share,
  tenantName: tenant.name,
  timeZone: tenant.time_zone ?? 'UTC',
  publicUrl: ctx.config.publicUrl,
  // Any time is as long as another, to a character or two.
  expiresAt: new Date(input.endsAt ?? ctx.clock.now()),
  now: new Date(ctx.clock.now()),
  topicKey: 'preview',
});
