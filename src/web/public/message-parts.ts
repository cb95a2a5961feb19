import { html } from 'hono/html';
import type { PublicMessage } from '#services/links/public-message.ts';
import { type Html, timeText } from './layout.ts';
import { directionOf, type PageWords } from './words.ts';

const block = (locale: string, text: string): Html => html`<div class="text" lang="${locale}" dir="${directionOf(locale)}">${text}</div>`;

/** If both texts together are longer, the corrected one is left out, so that the page stays below 10 KB. */
const MAX_BOTH_BYTES = 5_000;

interface Reader {
  readonly locale: string;
  readonly timeZone: string;
  /** Whether the page takes an answer. Only then it says what becomes of one. */
  readonly answers: boolean;
}

/** Shows what the message says now: whether it is an exercise, its state, the latest correction, who issued it and until when it holds. */
export function messageParts(message: PublicMessage, words: PageWords, { locale, timeZone, answers }: Reader): Html {
  const { followUp } = message;
  const heading = message.title ?? message.tenantName;
  return html`${message.drill ? html`<p class="banner drill">${words.exercise}</p>` : ''}
${message.state === 'stopped' ? html`<p class="banner warn" role="status">${words.stopped}${answers ? ` ${words.stoppedAnswer}` : ''}</p>` : message.late ? html`<p class="banner" role="status">${words.late}${answers ? ` ${words.lateAnswer}` : ''}</p>` : ''}
<h1 dir="auto">${heading}</h1>
${
  followUp
    ? html`<div class="banner warn" role="status"><strong>${followUp.kind === 'correction' ? words.correction : words.allClear}</strong> <span class="meta">${timeText(followUp.at, locale, timeZone)}</span>${block(followUp.locale, followUp.text)}</div>
${
  Buffer.byteLength(message.text) + Buffer.byteLength(followUp.text) < MAX_BOTH_BYTES
    ? html`<details><summary>${words.before}</summary>${block(message.locale, message.text)}</details>`
    : ''
}`
    : block(message.locale, message.text)
}
<p class="meta">${words.from}: <strong>${message.tenantName}</strong><br>${words.issued}: ${timeText(message.issuedAt, locale, timeZone)}${
    message.expiresAt ? html`<br>${words.validUntil}: ${timeText(message.expiresAt, locale, timeZone)}` : ''
  }</p>`;
}
