import { DEFAULT_CHANNELS } from '#schemas/channel-facts.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { localeSchema, type MessageInput } from '#schemas/message.ts';
import { WORDING_PARTS, type WordingInput, type WordingPart } from '#schemas/wording.ts';
import { type CapAlert, type CapError, type CapInfo, type CapReference, parseReferences } from './cap-alert.ts';
import { capAudience } from './cap-area.ts';
import { capRuleErrors } from './cap-rules.ts';

/** The alert as it is kept beside the message, without its shapes, which the audience has. */
export interface KeptCap extends Omit<CapAlert, 'info'> {
  info: (Omit<CapInfo, 'area'> & { areaDesc: string[] })[];
  signed: boolean;
}

export interface CapDraft {
  readonly input: MessageInput;
  readonly cap: KeptCap;
  /** The alerts that this one is about, where it is an Update or a Cancel. */
  readonly follows: readonly CapReference[];
}

const DAY_MS = 86_400_000;
const MAX_TITLE_CHARACTERS = 120;
const MAX_TEXT_CHARACTERS = 1600;
/** The instruction has the length of a text, since it stands in the text as it is and is found there only as it is. */
const MAX_WORDS: Readonly<Record<WordingPart, number>> = { who: 160, where: 160, instruction: MAX_TEXT_CHARACTERS, issuer: 160 };

/**
 * Makes a draft of a CAP alert. A person decides what becomes of it, since nothing is launched by an alert.
 * @param now milliseconds since the epoch
 * @returns the draft, or the fields that are wrong
 */
export function capToMessage(alert: CapAlert, signed: boolean, now: number): CapDraft | { readonly errors: readonly CapError[] } {
  const { audience, errors } = capAudience(alert);
  const problems = [...capRuleErrors(alert), ...errors];
  if (problems.length > 0) return { errors: problems };
  const messageClass = classOf(alert);
  const input: MessageInput = {
    class: messageClass,
    // Every other status is a drill, also Draft, which means "not actionable" (section 3.2.1): a drill can never go live.
    drill: alert.status !== 'Actual',
    title: titleOf(alert),
    text: textsOf(alert),
    says: saysFrom(alert),
    audience,
    channels: [...DEFAULT_CHANNELS],
    answers: [],
    share: false,
    expiresAt: new Date(expiryOf(alert, now)).toISOString(),
    launch: false,
  };
  const cap: KeptCap = { ...alert, signed, info: alert.info.map(({ area, ...info }) => ({ ...info, areaDesc: area.map((one) => one.areaDesc) })) };
  const follows = alert.msgType === 'Update' || alert.msgType === 'Cancel' ? (parseReferences(alert.references ?? '') ?? []) : [];
  return { input, cap, follows };
}

/** A life message is real, at once, and an extraordinary or significant threat to life or property (section 3.2.2). */
const classOf = (alert: CapAlert): MessageClass =>
  alert.status === 'Actual' && alert.info.some((info) => info.urgency === 'Immediate' && (info.severity === 'Extreme' || info.severity === 'Severe'))
    ? 'life'
    : 'ops';

/**
 * An alert ends at the latest `expires` of its infos, or without one a day after it was sent, and at most a day from now,
 * which is the longest that these classes may live. The end may lie in the past: then the draft shows the alert, and
 * launching it is refused.
 */
function expiryOf(alert: CapAlert, now: number): number {
  const ends = alert.info.flatMap((info) => (info.expires ? [Date.parse(info.expires)] : []));
  return Math.min(ends.length > 0 ? Math.max(...ends) : Date.parse(alert.sent) + DAY_MS, now + DAY_MS);
}

const titleOf = (alert: CapAlert): string => {
  const info = alert.info[0];
  const candidates = [info?.headline, info?.event, alert.note].map((text) => oneLine(text ?? ''));
  return shorten(candidates.find(Boolean) ?? `${alert.msgType} ${alert.identifier}`, MAX_TITLE_CHARACTERS);
};

/** Makes one text per language. Infos of the same language (other areas, later stages) follow each other. */
function textsOf(alert: CapAlert): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const info of alert.info) {
    const locale = localeOf(info.language);
    const text = textOf(info) || titleOf(alert);
    const before = texts[locale];
    if (before === undefined) texts[locale] = text;
    else if (!before.includes(text)) texts[locale] = shorten(`${before}\n\n${text}`, MAX_TEXT_CHARACTERS);
  }
  if (Object.keys(texts).length === 0) texts['en'] = shorten(lines(alert.note ?? '') || `Cancelled: ${alert.identifier}`, MAX_TEXT_CHARACTERS);
  return texts;
}

/** Takes each part from the first info of a language that has it. An alert that names nobody is for everybody in its area. */
function saysFrom(alert: CapAlert): WordingInput {
  const says: Record<WordingPart, Record<string, string>> = { who: {}, where: {}, instruction: {}, issuer: {} };
  for (const info of alert.info) {
    const area = oneLine(info.area.map((one) => one.areaDesc).join('; '));
    const found: Record<WordingPart, string> = {
      who: oneLine(info.audience ?? '') || area,
      where: area,
      instruction: lines(info.instruction ?? ''),
      issuer: oneLine(info.senderName ?? ''),
    };
    for (const part of WORDING_PARTS) if (found[part]) says[part][localeOf(info.language)] ??= shorten(found[part], MAX_WORDS[part]);
  }
  return Object.fromEntries(WORDING_PARTS.filter((part) => Object.keys(says[part]).length > 0).map((part) => [part, says[part]]));
}

/** Writes headline, description and instruction. What to do is never cut, so the description gives way. */
function textOf(info: CapInfo): string {
  const headline = oneLine(info.headline ?? '') || oneLine(info.event);
  const instruction = lines(info.instruction ?? '');
  const written = lines(info.description ?? '');
  // Many agencies begin the description with the headline again.
  const description = written.startsWith(headline) ? written.slice(headline.length).trim() : written;
  const room = MAX_TEXT_CHARACTERS - headline.length - instruction.length - 2;
  const parts = [headline, room > 20 ? shorten(description, room) : '', instruction];
  return shorten(parts.filter(Boolean).join('\n'), MAX_TEXT_CHARACTERS);
}

/**
 * Where an alert names no language, en-US is meant (section 3.2.2). An unknown tag is read by its language, or else as English.
 */
function localeOf(language: string | undefined): string {
  const tag = language?.trim() || 'en-US';
  const found = [tag, tag.split('-')[0] ?? ''].find((one) => localeSchema.safeParse(one).success);
  return found ?? 'en';
}

/**
 * Removes control characters other than the line feed. Braces that come from elsewhere are taken apart, since only our own
 * texts have slots.
 */
const clean = (text: string): string =>
  text
    .replace(/(?!\n)\p{Cc}/gu, ' ')
    .replaceAll('{{', '{ {')
    .replaceAll('}}', '} }');
const oneLine = (text: string): string => clean(text).replace(/\s+/g, ' ').trim();
/** Keeps line ends, and removes indentation and runs of blanks. */
const lines = (text: string): string =>
  clean(text)
    .replace(/[^\S\n]+/g, ' ')
    .replace(/ ?\n ?/g, '\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();

/** Cuts a text, counted in UTF-16 units as the limits are. It ends in "..." and not in "…", which is outside GSM-7. */
function shorten(text: string, max: number): string {
  if (text.length <= max) return text;
  return `${text
    .slice(0, max - 3)
    .replace(/[\uD800-\uDBFF]$/, '')
    .trimEnd()}...`;
}
