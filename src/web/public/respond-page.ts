import { html } from 'hono/html';
import { clockOf } from '#domain/clock-time.ts';
import type { AnswerPage } from '#services/answer-page.ts';
import { type Html, publicPage, timeText } from './layout.ts';
import { messageParts } from './message-parts.ts';
import { type PageWords, pageWords } from './words.ts';

export interface RespondView {
  readonly page: AnswerPage;
  readonly token: string;
  readonly nonce: string;
  /** Where "pass it on" leads; '' where the message is not to be passed on. */
  readonly shareUrl: string;
  /** The nonce had grown old: nothing was recorded. */
  readonly stale?: boolean;
}

/**
 * The answer page: message, who issued it, one button an answer. No script, no cookie, nothing fetched, under 10 KB
 * for any message.
 */
export function respondPage({ page, token, nonce, shareUrl, stale }: RespondView): Html {
  const { message, locale, timeZone } = page;
  const words = pageWords(locale);
  const body = html`<main>
${stale ? html`<p class="banner warn" role="alert">${words.tryAgain}</p>` : ''}${page.answer ? recorded(page, words) : ''}${messageParts(message, words, { locale, timeZone, answers: true })}
${page.answer ? html`<p>${words.change}</p>` : ''}
<form method="post" action="/r/${token}"><input type="hidden" name="nonce" value="${nonce}">
${buttons(page, words)}
<details><summary>${words.more}</summary><p class="meta">${words.thenPress}</p>
<label>${words.eta}<input name="eta" maxlength="40" placeholder="${words.etaHint}" autocomplete="off"></label>
<label>${words.note}<textarea name="note" maxlength="500" rows="2"></textarea></label></details>
</form>
${shareUrl ? html`<p><a class="button quiet" href="${shareUrl}">${words.passOn}</a></p>` : ''}
<p class="trap" aria-hidden="true"><a href="/r/${token}/more" rel="nofollow" tabindex="-1">${words.robots}</a></p>
</main>`;
  return publicPage({ locale, title: message.title ?? message.tenantName, body });
}

function buttons(page: AnswerPage, words: PageWords): Html[] {
  const options = page.message.answers.length > 0 ? page.message.answers : [{ key: 'seen', label: words.seen }];
  return options.map(
    ({ key, label }) =>
      html`<button name="answer" value="${key}"${page.answer?.key === key ? html` aria-pressed="true"` : ''}><span dir="auto">${label}</span></button>\n`,
  );
}

function recorded({ answer, message, locale, timeZone }: AnswerPage, words: PageWords): Html | '' {
  if (!answer) return '';
  const label = message.answers.find((o) => o.key === answer.key)?.label ?? (answer.key === 'seen' ? words.seen : answer.key);
  return html`<div class="banner" role="status">${words.yourAnswer}: <strong dir="auto">${label}</strong>${answer.etaAt ? html`, <strong>${clockOf(answer.etaAt, timeZone)}</strong>` : ''}<br><span class="meta">${words.recorded} ${timeText(answer.at, locale, timeZone)}</span>${answer.note ? html`<br><span dir="auto">${answer.note}</span>` : ''}</div>`;
}
