import { randomInt } from 'node:crypto';
import type { ChannelAdapter, MailContent } from '#domain/delivery/channel.ts';
import type { Config } from '#platform/config.ts';
import type { Tokens } from '#platform/tokens.ts';
import type { Mailer } from './join-by-mail.ts';

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** Paragraphs, with our own link made clickable; the text itself is escaped first. */
const asHtml = (text: string): string =>
  escaped(text)
    .split('\n\n')
    .map(
      (part) =>
        `<p>${part
          .trim()
          .replaceAll('\n', '<br>')
          .replace(/https?:\/\/[^\s<]+/g, (url) => `<a href="${url}">${url}</a>`)}</p>`,
    )
    .join('\n');

/**
 * Single mails (confirmations of a join) over the e-mail channel. Its return path names no delivery, so a bounce says
 * nothing about one.
 */
export function joinMailer(email: ChannelAdapter<MailContent>, deps: { readonly config: Pick<Config, 'mailFrom'>; readonly tokens: Tokens }): Mailer {
  return async (to, subject, text) => {
    const content: MailContent = { channel: email.channel, subject: [subject], text: [text], html: [asHtml(text)], oneClickUnsubscribe: false };
    const ref = deps.tokens.sealLower('bounce', { a: 0, b: randomInt(2 ** 40), extra: 0 });
    const { outcome } = await email.prepare(content, { id: 0, address: deps.config.mailFrom }).send({ address: to, ref, slots: {} });
    if (outcome.kind !== 'accepted') throw Object.assign(new Error('the relay did not take a confirmation mail'), { code: outcome.code });
  };
}
