import { randomBytes } from 'node:crypto';
import { domainToASCII } from 'node:url';
import addressparser from 'nodemailer/lib/addressparser';
import { encodeWord, foldLines, quoteString } from 'nodemailer/lib/mime-funcs';
import MimeNode from 'nodemailer/lib/mime-node';
import { encode as qpEncode, wrap as qpWrap } from 'nodemailer/lib/qp';
import { prepareTemplate } from '#channels/fill.ts';
import { escapeHtml } from '#platform/escape.ts';
import type { MailContent, Target } from '#domain/delivery/channel.ts';

/**
 * Atoms and dots of RFC 5322 in ASCII without quoting, then something like a domain. Anything else is refused before it meets
 * SMTP: an address that needs SMTPUTF8 must not be sent to a relay without it (RFC 6531 section 3.2), and most relays have none.
 */
const ADDRESS = /^[^\s<>()[\]\\,;:"@\p{Cc}\P{ASCII}]{1,64}@[^\s<>()[\]\\,;:"@\p{Cc}\P{ASCII}]{1,255}$/u;

/** A link of printable ASCII, with nothing in it that could end the header or the brackets. */
const LINK = /^https?:\/\/[\x21-\x3b\x3d\x3f-\x7e]{1,800}$/;

/** The link as it goes between angle brackets, or undefined when it must not go into a header. */
const headerLink = (link: string | undefined): string | undefined => (link !== undefined && LINK.test(link) ? link : undefined);

export const isMailAddress = (text: string): boolean => ADDRESS.test(text);

/** Whether text needs no encoding: it is printable ASCII, holds nothing that looks like an encoded word, and can be folded. */
const isPlain = (text: string): boolean => /^[\x20-\x7e]*$/.test(text) && !text.includes('=?') && !/[^ ]{61}/.test(text);

/** Encodes unstructured text where it needs it (RFC 2047). */
const headerText = (text: string): string => (isPlain(text) ? text : encodeWord(text, 'Q', 52));

const headerName = (name: string): string => (isPlain(name) ? quoteString(name) : encodeWord(name, 'Q', 52));

/** Encodes as quoted-printable with lines of at most 76 characters (RFC 2045 section 6.7). */
const quoted = (text: string): string => qpWrap(qpEncode(text.replace(/\r\n?|\n/g, '\r\n')), 76);

/**
 * Each slot stands on lines of its own between soft breaks, which readers join again. So a value is encoded and
 * wrapped alone, whatever stands around it, and the literal parts are encoded once for each message.
 */
const SOFT = '=\r\n';
const quotedSlot = (text: string): string => SOFT + quoted(text) + SOFT;

/** Makes of `Name <a@b>` the From header's value and the bare address, its domain in ASCII (RFC 5890). */
export function parseSender(from: string): { header: string; address: string } | undefined {
  const [mailbox] = addressparser(from, { flatten: true });
  const at = mailbox?.address?.lastIndexOf('@') ?? -1;
  if (!mailbox?.address || at < 0) return undefined;
  // nodemailer writes the domain in the same way into the header, and the return path has the same domain.
  const address = `${mailbox.address.slice(0, at)}@${domainToASCII(mailbox.address.slice(at + 1))}`;
  return isMailAddress(address) ? { header: MimeNode.encodeHeaderValue('From', [mailbox]), address } : undefined;
}

export interface MimeOptions {
  readonly fromHeader: string;
  readonly returnDomain: string;
}

/** A message, or why this person's values do not make one. */
export type Built = { readonly message: string } | { readonly refused: 'bad_address' | 'bad_unsubscribe_link'; readonly addressInvalid?: true };

const part = (type: string): string => `Content-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n`;

/** Prepares a multipart/alternative message, encoded once but for the slots, whose values must be free of control characters. */
export function prepareMime(content: MailContent, options: MimeOptions): (target: Target, now: number) => Built {
  const boundary = `=_${randomBytes(12).toString('hex')}`;
  const subject = prepareTemplate(content.subject);
  const text = prepareTemplate(content.text, quoted, quotedSlot);
  const html = prepareTemplate(content.html, quoted, (value) => quotedSlot(escapeHtml(value)));
  const fixed = [
    foldLines(`From: ${options.fromHeader}`),
    'MIME-Version: 1.0',
    // This asks for no out-of-office replies (RFC 3834 section 5).
    'Auto-Submitted: auto-generated',
    ...(content.oneClickUnsubscribe ? ['Precedence: bulk', 'List-Unsubscribe-Post: List-Unsubscribe=One-Click'] : []),
    `Content-Type: multipart/alternative; boundary="${boundary}"`,
  ].join('\r\n');
  const beforeText = `\r\n\r\n--${boundary}\r\n${part('text/plain')}`;
  const beforeHtml = `\r\n--${boundary}\r\n${part('text/html')}`;
  const end = `\r\n--${boundary}--\r\n`;

  return ({ address, slots, ref }, now) => {
    if (!isMailAddress(address)) return { refused: 'bad_address', addressInvalid: true };
    const unsubscribe = headerLink(slots.unsubscribeLink);
    if (content.oneClickUnsubscribe && !unsubscribe) return { refused: 'bad_unsubscribe_link' };
    const headers = [
      foldLines(`To: ${slots.name ? `${headerName(slots.name)} <${address}>` : address}`),
      foldLines(`Subject: ${headerText(subject(slots).replace(/\s+/g, ' '))}`),
      `Date: ${new Date(now).toUTCString().replace('GMT', '+0000')}`,
      `Message-ID: <${ref}@${options.returnDomain}>`,
      ...(content.oneClickUnsubscribe ? [`List-Unsubscribe: <${unsubscribe}>`] : []),
    ].join('\r\n');
    return { message: `${headers}\r\n${fixed}${beforeText}${text(slots)}${beforeHtml}${html(slots)}${end}` };
  };
}
