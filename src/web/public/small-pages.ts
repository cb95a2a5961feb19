import { html } from 'hono/html';
import { type Html, publicPage } from './layout.ts';
import { shareWords } from './share-words.ts';

/** The page of an unsubscribe link. A GET of the address shows it, and only a POST acts (RFC 8058). */
export function unsubscribePage(locale: string, tenantName: string, token: string, done: boolean): Html {
  const words = shareWords(locale);
  const body = done
    ? html`<main><p class="banner" role="status">${words.unsubscribed(tenantName)}</p></main>`
    : html`<main><h1>${words.unsubscribe(tenantName)}</h1><form method="post" action="/u/${token}"><input type="hidden" name="List-Unsubscribe" value="One-Click"><button>${words.unsubscribeButton}</button></form></main>`;
  return publicPage({ locale, title: words.unsubscribeButton, body });
}

export interface ConfirmView {
  readonly locale: string;
  readonly tenantName: string;
  readonly code: string;
  /** Missing once the person has joined. */
  readonly nonce?: string;
  /** Whether the nonce that was sent had grown old. */
  readonly stale?: boolean;
}

/** The second half of the double opt-in. Mail scanners open links, so the link only asks and the button joins. */
export function confirmPage({ locale, tenantName, code, nonce, stale = false }: ConfirmView): Html {
  const words = shareWords(locale);
  const body =
    nonce === undefined
      ? html`<main><p class="banner" role="status">${words.confirmed(tenantName)}</p></main>`
      : html`<main>${stale ? html`<p class="banner warn" role="alert">${words.tooOld}</p>` : ''}<h1>${words.confirm(tenantName)}</h1><form method="post" action="/s/confirm/${code}"><input type="hidden" name="nonce" value="${nonce}"><button>${words.confirmButton}</button></form></main>`;
  return publicPage({ locale, title: tenantName, body });
}
