import type { MailContent, Template } from '#domain/delivery/channel.ts';
import type { ChannelRendering } from '#schemas/channel-facts.ts';
import { knownZone } from '#domain/clock-time.ts';
import { dateFormats } from '#domain/date-formats.ts';
import { hasSlot } from '#domain/message/template.ts';
import { join, type Markup, markup } from './markup.ts';
import { type Piece, withoutTitleLine } from './piece.ts';
import { languageOf } from './words.ts';

/** RFC 5322 section 2.1.1 asks for lines of at most 78 characters, and mail programs show about that much of a subject. */
const MAX_SUBJECT_CHARACTERS = 120;
const RIGHT_TO_LEFT = new Set(['ar', 'he', 'fa', 'ur', 'ps', 'sd', 'ug', 'yi', 'dv', 'ckb']);

const link = { slot: 'link' } as const;
const shareLink = { slot: 'shareLink' } as const;
const unsubscribeLink = { slot: 'unsubscribeLink' } as const;

export function renderMail(piece: Piece, channel: ChannelRendering<'mail'>): MailContent {
  return {
    channel,
    subject: subjectOf(piece),
    text: plainText(piece),
    html: page(piece).html,
    // Only bulk is marked as a mailing list: a life message would otherwise invite people to leave it by one click.
    oneClickUnsubscribe: piece.message.class === 'bulk',
  };
}

/** The subject is the title, or else the first line of the text with its slots. */
function subjectOf({ message, prefix, text }: Piece): Template {
  const title = message.title?.replace(/\s+/g, ' ').trim();
  return join([prefix, ...(title ? [title] : firstLine(text))]);
}

function firstLine(text: Template): Template {
  const line: Template[number][] = [];
  let room = MAX_SUBJECT_CHARACTERS;
  for (const part of text) {
    if (typeof part !== 'string') {
      // A link is of no use in a subject.
      if (part.slot !== 'link') line.push(part);
      continue;
    }
    const end = part.indexOf('\n');
    const literal = end < 0 ? part : part.slice(0, end);
    const kept = [...literal].slice(0, room).join('');
    room -= [...kept].length;
    line.push(kept.length < literal.length ? `${kept.replace(/\s+\S*$/, '')}…` : kept);
    if (end >= 0 || kept.length < literal.length) break;
  }
  return line;
}

function plainText(piece: Piece): Template {
  const { message, words, prefix, text, repeatCode } = piece;
  const parts: Template[number][] = [prefix, ...text, ...piece.said.map((line) => `\n${line}`)];
  if (message.answers.length > 0) parts.push(`\n\n${message.answers.map((answer) => `- ${answer.label}`).join('\n')}\n${words.answerHere} `, link);
  else if (!hasSlot(text, 'link')) parts.push(`\n\n${words.moreHere} `, link);
  if (message.share) parts.push(`\n\n${words.passOn} `, shareLink);
  if (message.expiresAt) parts.push(`\n\n${validUntil(piece)}`);
  if (repeatCode) parts.push(`\n\n${repeatCode}`);
  parts.push(`\n\n-- \n${message.tenantName}\n${words.reason(message.tenantName)} ${words.linksBegin(message.publicUrl)}`);
  if (message.class === 'bulk') parts.push(`\n${words.unsubscribe}: `, unsubscribeLink);
  return join([...parts, '\n']);
}

const untilFormat = dateFormats({
  weekday: 'short',
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
  timeZoneName: 'short',
});

function validUntil({ message, words, locale }: Piece): string {
  const format = untilFormat(locale, knownZone(message.timeZone));
  // Intl puts narrow no-break spaces into times, which old mail programs show as boxes.
  return `${words.validUntil} ${format.format(message.expiresAt ?? message.now).replace(/[\u202f\u00a0]/g, ' ')}`;
}

const FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

/** All mail has one skeleton of tables and inline styles, since Outlook knows no more, in one column at every width. */
function page(piece: Piece): Markup {
  const { message, locale, words, prefix, repeatCode } = piece;
  const direction = RIGHT_TO_LEFT.has(languageOf(locale)) ? 'rtl' : 'ltr';
  const title = message.title?.trim();
  const text = title ? withoutTitleLine(piece.text, title) : piece.text;
  const banner = prefix.trim().replace(/ ?:$/, '');
  return markup`<!doctype html>
<html lang="${locale}" dir="${direction}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark"><title>${title || message.tenantName}</title></head>
<body style="margin:0;padding:0;background:#f2f3f5">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="background:#f2f3f5"><tr><td align="center" style="padding:16px 8px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:600px;background:#ffffff;border-radius:8px;${FONT};color:#1a1c1f">
${when(
  banner,
  markup`<tr><td style="padding:12px 24px;background:${message.drill ? '#6b3fa0' : '#1f5f3f'};color:#ffffff;font-size:16px;font-weight:bold;border-radius:8px 8px 0 0">${banner}</td></tr>
`,
)}<tr><td style="padding:24px 24px 0;font-size:14px;color:#4a4f57">${message.tenantName}</td></tr>
${when(
  title,
  markup`<tr><td style="padding:8px 24px 0"><h1 style="margin:0;font-size:22px;line-height:1.3">${title ?? ''}</h1></td></tr>
`,
)}<tr><td style="padding:12px 24px;font-size:17px;line-height:1.5">${paragraph([...text, ...piece.said.map((line) => `\n${line}`)])}</td></tr>
${buttons(piece)}${when(
  message.share,
  markup`<tr><td style="padding:8px 24px;font-size:15px">${words.passOn} <a href="${shareLink}" style="color:#0b57d0;word-break:break-all">${shareLink}</a></td></tr>
`,
)}<tr><td style="padding:16px 24px 24px;font-size:13px;line-height:1.5;color:#4a4f57">${when(message.expiresAt, markup`${validUntil(piece)}<br>`)}${when(repeatCode, markup`${repeatCode}<br>`)}${words.reason(message.tenantName)} ${words.linksBegin(message.publicUrl)}${when(message.class === 'bulk', markup`<br><a href="${unsubscribeLink}" style="color:#4a4f57">${words.unsubscribe}</a>`)}</td></tr>
</table></td></tr></table></body></html>
`;
}

const when = (condition: unknown, part: Markup): readonly Markup[] => (condition ? [part] : []);

/** Escapes the coordinator's text, keeps its line ends, and lets the reader press its link. */
function paragraph(text: Template): readonly Markup[] {
  return text.map((part) => {
    if (typeof part !== 'string')
      return part.slot === 'link' ? markup`<a href="${link}" style="color:#0b57d0;word-break:break-all">${link}</a>` : markup`${part}`;
    return markup`${part.split('\n').map((line, i) => (i === 0 ? markup`${line}` : markup`<br>${line}`))}`;
  });
}

/**
 * Makes one button per answer, as high as a thumb; without answers one button opens the message. A button only opens the page
 * with that answer chosen: mail scanners follow every link, so a link must never answer.
 */
function buttons({ message, words }: Piece): readonly Markup[] {
  const row = (href: Markup, label: string): Markup =>
    markup`<tr><td style="padding:6px 24px"><table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center" bgcolor="#0b57d0" style="border-radius:6px"><a href="${href}" style="display:block;padding:14px 16px;font-size:18px;font-weight:bold;color:#ffffff;text-decoration:none;${FONT}">${label}</a></td></tr></table></td></tr>
`;
  if (message.answers.length === 0) return [row(markup`${link}`, words.open)];
  const heading = markup`<tr><td style="padding:8px 24px 0;font-size:15px;color:#4a4f57">${words.yourAnswer}</td></tr>
`;
  return [heading, ...message.answers.map((answer) => row(markup`${link}?answer=${encodeURIComponent(answer.key)}`, answer.label))];
}
