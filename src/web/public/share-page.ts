import { html, raw } from 'hono/html';
import { encode } from 'uqr';
import { MESSAGE_CLASSES } from '#schemas/delivery.ts';
import type { SharePage } from '#services/spread/share-page.ts';
import { type Html, publicPage } from './layout.ts';
import { messageParts } from './message-parts.ts';
import { type ShareWords, shareWords } from './share-words.ts';
import { pageWords } from './words.ts';

export interface ShareView {
  readonly page: SharePage;
  readonly token: string;
  readonly nonce: string;
  readonly locale: string;
  readonly publicUrl: string;
  /** Without a mailer, or without the key for push, that way of joining is not offered. */
  readonly byMail: boolean;
  readonly vapidPublicKey: string;
  /** What became of a form that was just sent. */
  readonly said?: 'check_mail' | 'bad_mail' | 'too_old';
  /** The address that stood in a form which was refused. */
  readonly email?: string;
}

/**
 * The public page of a message, which shows its latest state: a correction or stop stands on top. It works without a script;
 * its one script adds the share sheet, push and the count of people.
 */
export function sharePage(view: ShareView): Html {
  const { page, token, nonce, locale, publicUrl, vapidPublicKey, said } = view;
  const { message } = page;
  const words = shareWords(locale);
  const title = message.title ?? message.tenantName;
  const url = `${publicUrl}/s/${token}`;
  const body = html`<main data-share="/s/${token}" data-nonce="${nonce}" data-vapid="${vapidPublicKey}" data-title="${title}">
${said === 'check_mail' ? html`<p class="banner" role="status">${words.checkMail}</p>` : ''}${messageParts(message, pageWords(locale), { locale, timeZone: page.timeZone, answers: false })}
<button id="share" type="button" hidden>${words.share}</button>
<details><summary>${words.scan}</summary>${qr(url)}<p class="meta">${url}</p></details>
${page.join ? joinParts(view, words, page.join) : ''}
<p class="trap" aria-hidden="true"><a href="/s/${token}/more" rel="nofollow" tabindex="-1">${pageWords(locale).robots}</a></p>
</main>`;
  const lead = (message.followUp ?? message).text.replace(/\s+/g, ' ').slice(0, 200);
  const state =
    message.state === 'stopped'
      ? `${pageWords(locale).stopped} `
      : message.followUp
        ? `${message.followUp.kind === 'correction' ? pageWords(locale).correction : pageWords(locale).allClear}: `
        : '';
  const drill = message.drill ? 'EXERCISE: ' : '';
  const head = html`<meta property="og:type" content="article"><meta property="og:title" content="${drill + title}"><meta property="og:description" content="${drill + state + lead}"><meta property="og:url" content="${url}"><meta property="og:site_name" content="${message.tenantName}"><meta name="description" content="${drill + state + lead}"><link rel="manifest" href="/manifest.webmanifest"><link rel="icon" href="/icon.svg"><script type="module" src="/s.js"></script>`;
  return publicPage({ locale, title, head, body });
}

function joinParts({ page, token, nonce, byMail, vapidPublicKey, said, email }: ShareView, words: ShareWords, join: NonNullable<SharePage['join']>): Html {
  const { message } = page;
  const refused = said === 'bad_mail' ? words.badMail : said === 'too_old' ? words.tooOld : '';
  return html`<h2>${words.join}</h2><p>${words.joinWhy(message.tenantName)}</p>
${
  join.sms
    ? html`<h3>${words.byText}</h3><p>${words.textTo}<br><a class="button" href="sms:${join.sms.number}?&amp;body=${encodeURIComponent(join.sms.text)}"><code data-join-text="${join.sms.text}">${join.sms.text}</code> → <span data-join-number="${join.sms.number}">${join.sms.number}</span></a></p>`
    : ''
}${vapidPublicKey ? html`<button id="push" type="button" hidden>${words.byPush}</button><p id="push-done" role="status" hidden>${words.pushDone}</p><p id="push-failed" role="alert" hidden>${words.pushFailed}</p>` : ''}${
  byMail
    ? html`<h3>${words.byMail}</h3><form method="post" action="/s/${token}/join"><input type="hidden" name="nonce" value="${nonce}"><input type="hidden" name="channel" value="email">
${refused ? html`<p class="banner warn" role="alert" id="refused">${refused}</p>` : ''}<label>${words.mailHint}<input type="email" name="email" required maxlength="254" autocomplete="email"${refused ? html` value="${email ?? ''}" aria-describedby="refused" autofocus` : ''}${said === 'bad_mail' ? html` aria-invalid="true"` : ''}></label>
<fieldset><legend>${words.consent}</legend>${MESSAGE_CLASSES.map((messageClass) => html`<label><input type="checkbox" name="consent_${messageClass}" value="yes"${messageClass === message.class ? html` checked` : ''}>${words[messageClass]}</label>`)}</fieldset>
<button>${words.send}</button></form>`
    : ''
}`;
}

/** Draws each run of dark modules in one path, which takes half the bytes of a rectangle for each module. */
function qr(url: string): Html {
  const { data, size } = encode(url, { border: 2 });
  let path = '';
  for (const [y, row] of data.entries())
    for (let x = 0; x < size; x++) {
      if (!row[x]) continue;
      const start = x;
      while (x < size && row[x]) x++;
      path += `M${start} ${y}h${x - start}v1h-${x - start}z`;
    }
  return html`<svg class="qr" role="img" aria-label="QR" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges">${raw(`<path d="${path}"/>`)}</svg>`;
}
