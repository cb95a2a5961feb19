import { html, raw } from 'hono/html';
import { BoundedMap } from '#domain/bounded-map.ts';
import { clockOf } from '#domain/clock-time.ts';
import type { AnswerPage } from '#services/answers/answer-page.ts';
import type { PublicMessage } from '#services/links/public-message.ts';
import { type Html, publicPage, textOf, timeText } from './layout.ts';
import { messageParts } from './message-parts.ts';
import { type PageWords, pageWords } from './words.ts';

export interface RespondView {
  readonly page: AnswerPage;
  readonly token: string;
  readonly nonce: string;
  /** The address to which "pass it on" leads; '' where the message is not to be passed on. */
  readonly shareUrl: string;
  /** Why nothing was recorded: the nonce had grown old, or no such answer is offered. */
  readonly refused?: 'tryAgain' | 'notOffered' | undefined;
}

/**
 * The answer page: the message, who issued it, and one button for each answer. It has no script and no cookie, fetches
 * nothing, and stays under 10 KB for any message.
 *
 * The Enter key in the field for the time presses the form's first button (HTML, "implicit submission"), which would be the
 * first answer, whatever was meant. So the first button is one that cannot be pressed, and Enter does nothing.
 *
 * Everybody who reads a message in one language and zone and has pressed the same button has the same page but for the
 * link, the nonce and the words about their own answer. That page is made once and kept with the message. Making it for
 * each person took 20 us, a tenth of what an answer costs.
 */
export function respondPage(view: RespondView): Html {
  const { page, token, nonce, shareUrl } = view;
  const { message, locale, timeZone, answer } = page;
  const key = `${message.messageId}\n${locale}\n${timeZone}\n${answer?.key ?? ''}\n${view.refused ?? ''}\n${shareUrl !== ''}`;
  let made = pages.get(key);
  if (made?.message !== message) {
    made = { message, parts: cut(view) };
    pages.set(key, made);
  }
  const [start = '', action = '', proof = '', more = '', trap = '', end = ''] = made.parts;
  // Nothing in these needs escaping: tokens are base62, nonces base64url, and the address is made of them.
  const told = answer ? textOf(recorded(page, pageWords(locale))) : '';
  return raw(`${start}${told}${action}${token}${proof}${nonce}${more}${shareUrl}${trap}${token}${end}`);
}

/**
 * The pages in use, by message, language, zone and button. A page takes some 4 kB. It is made anew when the message is read
 * anew, which happens every two seconds.
 */
const pages = new BoundedMap<string, { readonly message: PublicMessage; readonly parts: readonly string[] }>(1_000);

/** Stands where each person has something of their own. No text of ours or from the database holds it. */
const OWN = '\0';

/** Cuts the page around what is a person's own: the words about their answer, token, nonce, share link, and the token again. */
function cut({ page, shareUrl, refused }: RespondView): readonly string[] {
  const { message, locale, timeZone } = page;
  const words = pageWords(locale);
  const own = raw(OWN);
  const body = html`<main>
${refused ? html`<p class="banner warn" role="alert">${words[refused]}</p>` : ''}${own}${messageParts(message, words, { locale, timeZone, answers: true })}
${page.answer ? html`<p>${words.change}</p>` : ''}
<form method="post" action="/r/${own}"><button disabled hidden></button><input type="hidden" name="nonce" value="${own}">
${buttons(page, words)}
<details><summary>${words.more}</summary><p class="meta">${words.thenPress}</p>
<label>${words.eta}<input name="eta" maxlength="40" placeholder="${words.etaHint}" autocomplete="off"></label>
<label>${words.note}<textarea name="note" maxlength="500" rows="2"></textarea></label></details>
</form>
${shareUrl ? raw(`<p><a class="button quiet" href="${OWN}">`) : own}${shareUrl ? html`${words.passOn}</a></p>` : ''}
${message.class === 'bulk' ? html`<p class="meta">${words.leave}</p>` : ''}
<p class="trap" aria-hidden="true"><a href="/r/${own}/more" rel="nofollow" tabindex="-1">${words.robots}</a></p>
</main>`;
  return textOf(publicPage({ locale, title: message.title ?? message.tenantName, body })).split(OWN);
}

function buttons(page: AnswerPage, words: PageWords): Html[] {
  const options = page.message.answers.length > 0 ? page.message.answers : [{ key: 'seen', label: words.seen }];
  return options.map(
    ({ key, label }) =>
      html`<button name="answer" value="${key}"${page.answer?.key === key ? html` aria-pressed="true"` : ''}><span dir="auto">${label}</span></button>\n`,
  );
}

function recorded({ answer, message, locale, timeZone }: AnswerPage, words: PageWords): Html {
  if (!answer) return raw('');
  const label = message.answers.find((o) => o.key === answer.key)?.label ?? (answer.key === 'seen' ? words.seen : answer.key);
  return html`<div class="banner" role="status">${words.yourAnswer}: <strong dir="auto">${label}</strong>${answer.etaAt ? html`, <strong>${clockOf(answer.etaAt, timeZone)}</strong>` : ''}<br><span class="meta">${words.recorded} ${timeText(answer.at, locale, timeZone)}</span>${answer.note ? html`<br><span dir="auto">${answer.note}</span>` : ''}</div>`;
}
