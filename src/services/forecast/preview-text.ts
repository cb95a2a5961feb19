import type { PreviewGroup } from '#db/audience/audience-preview-sql.ts';
import type { SlotValues } from '#domain/delivery/channel.ts';
import { countSegments, type SegmentCount } from '#domain/message/segments.ts';
import { fillTemplate } from '#domain/message/template.ts';
import type { RenderInput } from '#render/render-input.ts';
import { chooseLocale, renderMessage } from '#render/render-message.ts';
import { slotValues, TOKEN_CHARACTERS } from '#render/slot-values.ts';
import { type Channel, CHANNELS, type ChannelRendering, countsSegments } from '#schemas/channel-facts.ts';
import type { PreviewInput } from '#schemas/message.ts';
import type { Wording } from '#schemas/wording.ts';
import type { PreviewView } from '#schemas/views.ts';
import type { Context } from '#services/context.ts';
import { longestSms } from './longest-sms.ts';

export interface TextPreview extends Pick<PreviewView, 'segments' | 'units' | 'encoding' | 'culprits'> {
  /** People called by SMS whose name alone turns a cheap text into a dear one. */
  readonly namesOutsideGsm: number;
  /** Sizes for each channel that counts segments; none without a text. */
  readonly perChannel: Readonly<Partial<Record<Channel, ChannelUnits>>>;
}

interface ChannelUnits {
  /** Segments of all calls. */
  readonly units: number;
  /** What each call takes of its sender's rate: segments of the longest rendering. */
  readonly unitsPerCall: number;
}

const NO_TEXT: TextPreview = { segments: 0, units: 0, encoding: null, culprits: [], namesOutsideGsm: 0, perChannel: {} };

type SegmentChannel = ChannelRendering<'short_text'>;

/** The kind matters, since a correction begins with another word. */
export type TextInput = Pick<PreviewInput, 'class' | 'drill' | 'text' | 'answers' | 'share'> & {
  kind?: RenderInput['kind'];
  said: Wording | null;
  /** When the message ends, in milliseconds; null where it is not known yet. */
  endsAt: number | null;
};

/**
 * Works out the SMS sizes of a message over its people. The text is rendered exactly as it is sent, with a link of true
 * length, and for each group of people with a name of their size and alphabet in place of theirs.
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
  const sized = CHANNELS.filter(countsSegments).map((channel) => sizesOf(ctx, message, { channel, groups, locale: tenant.default_locale }));
  const [first] = sized;
  if (!first) return NO_TEXT;
  const worst = sized.map((one) => one.worst).reduce(longer);
  const culprits = [...first.bare].flatMap(([locale, rendered]) => culpritsOf(locale, text[locale] ?? '', rendered));
  return {
    segments: worst.segments,
    units: sized.reduce((sum, { units }) => sum + units, 0),
    encoding: worst.encoding,
    culprits: culprits.slice(0, 50),
    namesOutsideGsm: sized.reduce((sum, one) => sum + one.namesOutsideGsm, 0),
    perChannel: Object.fromEntries(sized.map(({ channel, units }) => [channel, { units, unitsPerCall: longestSms(message, channel) }])),
  };
}

interface Sized {
  readonly channel: SegmentChannel;
  /** The size per locale for a person without a name. */
  readonly bare: ReadonlyMap<string, SegmentCount>;
  readonly units: number;
  readonly namesOutsideGsm: number;
  readonly worst: SegmentCount;
}

const longer = (a: SegmentCount, b: SegmentCount): SegmentCount =>
  b.segments > a.segments || (b.segments === a.segments && b.units > a.units) ? b : a;

/** The sizes of a message on one channel over its people. @param of.locale what people read who have no language of their own */
function sizesOf(
  ctx: Pick<Context, 'config'>,
  message: RenderInput,
  of: { channel: SegmentChannel; groups: readonly PreviewGroup[]; locale: string },
): Sized {
  const { channel, groups } = of;
  const bodies = new Map(Object.keys(message.text).map((locale) => [locale, renderMessage(message, locale, channel).body]));
  const size = (locale: string, name: string, firstName: string): SegmentCount =>
    countSegments(fillTemplate(bodies.get(locale) ?? [], { ...slotsOf(ctx), name, firstName }));
  const bare = new Map([...bodies.keys()].map((locale) => [locale, size(locale, '', '')]));

  let [units, namesOutsideGsm] = [0, 0];
  let worst: SegmentCount | undefined;
  for (const group of groups) {
    // A person may be called in more than one wave.
    const calls = group.calls.reduce((sum, step) => sum + (step[channel] ?? 0), 0);
    if (calls === 0) continue;
    const locale = chooseLocale(message.text, message.fallbackLocale, group.locale ?? of.locale);
    const one = size(locale, standIn(group.name_gsm, group.name_units), standIn(group.first_gsm, group.first_units));
    units += one.segments * calls;
    if (one.encoding === 'UCS-2' && bare.get(locale)?.encoding === 'GSM-7') namesOutsideGsm += group[channel];
    worst = worst ? longer(worst, one) : one;
  }
  // Where nobody is called by it, the text's own size is still worth knowing while it is written.
  worst ??= [...bare.values()].reduce((a, b) => (b.segments > a.segments ? b : a));
  return { channel, bare, units, namesOutsideGsm, worst };
}

/** Positions in what the coordinator wrote; only where that is clean, in the text as it is sent (an answer's label, say). */
function culpritsOf(locale: string, written: string, rendered: SegmentCount): PreviewView['culprits'] {
  const own = countSegments(written).culprits;
  return (own.length > 0 ? own : rendered.culprits).map((culprit) => ({ ...culprit, locale }));
}

/** Makes a name of this size: x takes one septet, Ж one UTF-16 unit outside GSM-7. */
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
  // Every repeat code is as long as this one (src/domain/message/plan.ts).
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
  // Any time is as long as any other, but for a character or two.
  expiresAt: new Date(input.endsAt ?? ctx.clock.now()),
  now: new Date(ctx.clock.now()),
  topicKey: 'preview',
});
