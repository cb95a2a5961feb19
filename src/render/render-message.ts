import { createHash } from 'node:crypto';
import { CHANNEL_FACTS, type Channel, type ChannelRendering, factsOf, type Rendering } from '#schemas/channel-facts.ts';
import type { AnswerOption } from '#schemas/message.ts';
import type { Content, ContentOf, Contents, NotificationContent, ShortTextContent, Template } from '#domain/delivery/channel.ts';
import { hasSlot, slotProblems } from '#domain/message/template.ts';
import type { FieldError } from '#platform/errors.ts';
import { join } from './markup.ts';
import { type Piece, pieceOf, withoutTitleLine } from './piece.ts';
import { renderMail } from './render-mail.ts';
import type { RenderInput } from './render-input.ts';
import { untilLine } from './wording-lines.ts';

export { chooseLocale } from './choose-locale.ts';

/**
 * Renders a message for one channel and one locale. It is called once per message, channel and locale, and personal parts
 * stay slots.
 * @param locale the reader's locale; the text falls back as in `chooseLocale`
 */
export function renderMessage<C extends Channel>(message: RenderInput, locale: string, channel: C): ContentOf<C>;
export function renderMessage(message: RenderInput, locale: string, channel: Channel): Content {
  const render: (piece: Piece, channel: never) => Content = RENDERERS[CHANNEL_FACTS[channel].renders];
  return render(pieceOf(message, locale), channel as never);
}

const RENDERERS: { readonly [R in Rendering]: (piece: Piece, channel: ChannelRendering<R>) => Contents[R] } = {
  short_text: renderShortText,
  mail: renderMail,
  notification: renderNotification,
};

/** Unknown or unclosed slots, as errors of the field `text.<locale>`. */
export function assertSlots(text: Readonly<Record<string, string>>): FieldError[] {
  return Object.entries(text).flatMap(([locale, written]) => slotProblems(written).map((problem) => ({ field: `text.${locale}`, ...problem })));
}

/** What SMS providers take at most: Twilio's ValidityPeriod is 1 to 36,000 seconds. */
const MAX_VALIDITY_SECONDS = 36_000;

function renderShortText(piece: Piece, channel: ChannelRendering<'short_text'>): ShortTextContent {
  const { message, words, prefix, text, repeatCode } = piece;
  const parts: Template[number][] = [prefix, ...text, ...wordingWithEnd(piece)];
  if (message.answers.length > 0 && factsOf(channel).inbound) parts.push(`\n${words.smsReply}${answerHint(message.answers)}`);
  if ((message.answers.length > 0 || message.share) && !hasSlot(text, 'link')) parts.push('\n', { slot: 'link' });
  if (repeatCode) parts.push(`\n${repeatCode}`);
  const left = secondsLeft(message) ?? MAX_VALIDITY_SECONDS;
  return { channel, body: join(parts), validitySeconds: Math.min(MAX_VALIDITY_SECONDS, Math.max(1, left)) };
}

/** The lines below the text are literal, since a coordinator's wording has no slots. */
function wordingWithEnd({ message, locale, words, said }: Piece): string[] {
  const until = untilLine(message, locale, words);
  return [...said, ...(until === undefined ? [] : [until])].map((line) => `\n${line}`);
}

/** Writes "1 Yes, 2 No". Keys that are numbers themselves are shown as they are, so that no number means two things. */
export function answerHint(answers: readonly AnswerOption[]): string {
  const byKey = answers.some((answer) => /^[0-9]+$/.test(answer.key));
  return answers.map((answer, i) => `${byKey ? answer.key : i + 1} ${answer.label}`).join(', ');
}

/** How many whole seconds are left until the message expires, at least 0; null where it does not expire. */
const secondsLeft = ({ expiresAt, now }: RenderInput): number | null => expiresAt && Math.max(0, Math.floor((expiresAt.getTime() - now.getTime()) / 1000));

const PUSH_URGENCY = { life: 'high', ops: 'normal', bulk: 'low' } as const;
/** A message without an expiry is kept for as long as its class may live. */
const CLASS_TTL_SECONDS = { life: 86_400, ops: 86_400, bulk: 259_200 } as const;
/** Push services keep nothing for longer than four weeks. */
const MAX_TTL_SECONDS = 2_419_200;
/** A push holds 3,993 bytes (RFC 8291 section 4). The rest is for title, links, buttons and the delivery's own reference. */
const MAX_PUSH_BODY_BYTES = 1500;

function renderNotification(piece: Piece, channel: ChannelRendering<'notification'>): NotificationContent {
  const { message, locale, prefix, text, repeatCode } = piece;
  // Where there is too little room, the text gives way and never what must be said.
  const said = wordingWithEnd(piece);
  const title = message.title?.replace(/\s+/g, ' ').trim() || message.tenantName;
  const body = shorten(
    message.title ? withoutTitleLine(text, message.title) : text,
    MAX_PUSH_BODY_BYTES - Math.min(MAX_PUSH_BODY_BYTES, Buffer.byteLength(said.join(''))),
  );
  return {
    channel,
    title: [prefix + title],
    body: join([prefix, ...body, ...said, repeatCode && `\n${repeatCode}`]),
    actions: (factsOf(channel).buttons ? message.answers : []).slice(0, 2).map((answer) => ({ action: answer.key, title: answer.label })),
    ttlSeconds: Math.min(MAX_TTL_SECONDS, secondsLeft(message) ?? CLASS_TTL_SECONDS[message.class]),
    pushUrgency: PUSH_URGENCY[message.class],
    topic: createHash('sha256').update(`topic ${message.topicKey}`).digest('base64url').slice(0, 32),
    lang: locale,
  };
}

/** Cuts a text between graphemes, so that no letter or emoji is broken. A slot counts as 60 bytes. */
function shorten(text: Template, maxBytes: number): Template {
  const kept: Template[number][] = [];
  let bytes = 0;
  for (const part of text) {
    const size = typeof part === 'string' ? Buffer.byteLength(part) : 60;
    if (bytes + size <= maxBytes) {
      kept.push(part);
      bytes += size;
      continue;
    }
    if (typeof part === 'string') kept.push(cut(part, maxBytes - bytes - 3));
    kept.push('…');
    break;
  }
  return kept;
}

function cut(text: string, maxBytes: number): string {
  let end = 0;
  let bytes = 0;
  for (const { segment, index } of new Intl.Segmenter().segment(text)) {
    bytes += Buffer.byteLength(segment);
    if (bytes > maxBytes) break;
    end = index + segment.length;
  }
  return text.slice(0, end).trimEnd();
}
