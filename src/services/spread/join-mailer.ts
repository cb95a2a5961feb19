import { randomInt } from 'node:crypto';
import type { ChannelAdapter, MailContent } from '#domain/delivery/channel.ts';
import { escapeHtml } from '#platform/escape.ts';
import type { Config } from '#platform/config.ts';
import type { Tokens } from '#platform/tokens.ts';
import type { Mailer } from './join-by-mail.ts';

/** Makes paragraphs with our own link to click. The text itself is escaped first. */
const asHtml = (text: string): string =>
  escapeHtml(text)
    .split('\n\n')
    .map(
      (part) =>
        `<p>${part
          .trim()
          .replaceAll('\n', '<br>')
          .replace(/https?:\/\/[^\s<]+/g, (url) => `<a href="${url}">${url}</a>`)}</p>`,
    )
    .join('\n');

interface MailerDeps {
  readonly config: Pick<Config, 'mailFrom'>;
  readonly tokens: Tokens;
}

/**
 * Sends single mails (the confirmations of a join) over the e-mail channel. Their return path names no delivery, so that a
 * bounce of one says nothing about a delivery.
 */
export function joinMailer(email: ChannelAdapter<MailContent>, deps: MailerDeps): Mailer {
  return async (to, subject, text) => {
    const parts = { subject: [subject], text: [text], html: [asHtml(text)] };
    const content: MailContent = { channel: email.channel, ...parts, oneClickUnsubscribe: false };
    const ref = deps.tokens.sealLower('bounce', { a: 0, b: randomInt(2 ** 40), extra: 0 });
    const { outcome } = await email.prepare(content, { id: 0, address: deps.config.mailFrom }).send({ address: to, ref, slots: {} });
    if (outcome.kind !== 'accepted') throw Object.assign(new Error('the relay did not take a confirmation mail'), { code: outcome.code });
  };
}
