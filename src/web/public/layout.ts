import { createHash } from 'node:crypto';
import { html, raw } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import { BoundedMap } from '#domain/bounded-map.ts';
import { dateFormats } from '#domain/date-formats.ts';
import { directionOf, pageLanguage } from './words.ts';

export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** Gives the text of a page. @throws TypeError where a part of it is still waited for */
export function textOf(page: Html): string {
  if (page instanceof Promise) throw new TypeError('a part of this page is waited for');
  return page.toString();
}

/** The one small style sheet of every public page. It has buttons as large as a thumb and both colour schemes, and fetches nothing. */
const STYLE = `:root{color-scheme:light dark;--line:#8886;--accent:#0b57d0}
*{box-sizing:border-box}body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:1rem}
h1{font-size:1.3rem;margin:.2rem 0}h2{font-size:1.2rem;margin:2rem 0 .3rem}h3{font-size:1rem;margin:1.2rem 0 .2rem}.text{white-space:pre-wrap;overflow-wrap:anywhere;font-size:1.2rem;margin:1rem 0}
.meta{overflow-wrap:anywhere;font-size:.9rem;opacity:.85;margin:.3rem 0}.banner{border:2px solid;border-radius:.6rem;padding:.6rem .9rem;margin:.8rem 0}
.drill{background:#ffe08a;color:#222;font-weight:700}.warn{border-color:#b3261e}
button,.button{display:block;width:100%;min-height:3.2rem;margin:.6rem 0;padding:.6rem 1rem;font:inherit;font-weight:600;border-radius:.7rem;border:1px solid var(--line);background:var(--accent);color:#fff;text-align:center;text-decoration:none;cursor:pointer}
button.quiet,.button.quiet{background:transparent;color:inherit}
button[aria-pressed=true]{outline:3px solid #188038;outline-offset:2px}
label{display:block;margin:.6rem 0}input,textarea,select{width:100%;font:inherit;padding:.5rem;border-radius:.4rem;border:1px solid var(--line);margin-top:.2rem}
::placeholder{color:inherit;opacity:.75}fieldset{border:1px solid var(--line);border-radius:.6rem;margin:.8rem 0}input[type=checkbox]{width:auto;margin-inline-end:.5rem}details{margin:.8rem 0}summary{cursor:pointer}.trap{display:none}
svg.qr{width:12rem;height:12rem;background:#fff;padding:.4rem}code{font-size:1.2rem;font-weight:700}[hidden]{display:none}`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** The Content-Security-Policy. With `script` a page may load our one script and talk to us, as the share page does. */
export const contentPolicy = (script: boolean): string =>
  [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    ...(script ? ["script-src 'self'", "connect-src 'self'", "worker-src 'self'", "manifest-src 'self'", "img-src 'self'"] : []),
  ].join('; ');

export interface PublicPage {
  /** The reader's locale, which decides the language and direction of our own words. */
  readonly locale: string;
  readonly title: string;
  readonly head?: Html | '';
  readonly body: Html;
}

/** A page that works without script, style or colour: a text browser shows the same words in the same order. */
export const publicPage = ({ locale, title, head, body }: PublicPage): Html => {
  const language = pageLanguage(locale);
  return html`<!doctype html>
<html lang="${language}" dir="${directionOf(language)}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex,nofollow,noarchive"><meta name="referrer" content="no-referrer"><title>${title}</title>${head ?? ''}<style>${raw(STYLE)}</style></head>
<body>${body}</body></html>`;
};

/** A page of one sentence (not found, over, too many), which says nothing of what was asked for. */
export const sentencePage = (locale: string, sentence: string): Html => publicPage({ locale, title: sentence, body: html`<main><p>${sentence}</p></main>` });

const timeFormat = dateFormats({
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
  timeZoneName: 'short',
});

/** Says `1 Jun 2026, 14:30 UTC` in the reader's language and zone. */
export function timeText(at: Date, locale: string, timeZone: string): string {
  const language = pageLanguage(locale);
  const minute = Math.floor(at.getTime() / 60_000);
  const key = `${minute} ${language} ${timeZone}`;
  let text = times.get(key);
  if (text === undefined) {
    text = timeFormat(language, timeZone).format(at);
    times.set(key, text);
  }
  return text;
}

/** Texts are kept, since many people answer in the same minutes. Making one takes 7 us, a twentieth of an answer. */
const times = new BoundedMap<string, string>(500);
