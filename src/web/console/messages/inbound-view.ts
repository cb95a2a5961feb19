import { html } from 'hono/html';
import type { InboundView } from '#services/inbound/list-inbound.ts';
import { plural } from '#web/console/shell/format.ts';
import { csrf, type Html, type Part, time } from '#web/console/shell/parts.ts';

/** Says why a text waits for a person. */
const WHY: Partial<Record<InboundView['outcome'], string>> = {
  unclear: 'could not be read as an answer',
  unmatched: 'is no reply to a text that we sent to this number',
  late: 'came after the message ended',
  stop: 'said stop. This person may have meant “I cannot come”; no more SMS can reach them',
  start: 'asked to be reached again',
  help: 'asked for help',
};

/** Shows who wrote. The name leads to their page, and the number stays in sight, since somebody may have to call it. */
const writer = (text: InboundView): Html =>
  text.recipientId === null ? call(text.from) : html`<a href="/people/${text.recipientId}">${text.name ?? text.from}</a>, ${call(text.from)}`;

/** A link that calls the number. A short code, or a name instead of a number, cannot be called. */
const call = (from: string): Html => (/^\+\d{7,}$/.test(from) ? html`<a href="tel:${from}">call ${from}</a>` : html`${from}`);

/** Shows what the sender of the text was told meanwhile, so that nobody tells it twice. */
const answeredWith = ({ reply }: InboundView): Part =>
  reply !== '' && html`<details class="small"><summary>Answered by itself</summary><q>${reply}</q></details>`;

/** Leads from the overview to the message that was answered. On that message's own board there is no such link. */
const about = (text: InboundView, back: string): Part =>
  text.messageId !== null && back === '/' && html`, <a href="/messages/${text.messageId}">the message</a>`;

const inboundItem = (text: InboundView, token: string, back: string): Html =>
  html`<li class="item"><div><q class="title">${text.body}</q><br><span class="soft small">${writer(text)}: ${WHY[text.outcome] ?? text.outcome}. ${time(text.at)}${about(text, back)}</span>${answeredWith(text)}</div>
    <form method="post" action="/texts/${text.id}/handled">${csrf(token)}<input type="hidden" name="back" value="${back}"><button class="btn small">Handled<span class="hide">: ${text.body.slice(0, 60)}</span></button></form></li>`;

/** Shows the texts that wait for a person; '' when there are none. */
export function inboundList(texts: readonly InboundView[], token: string, back: string): Part {
  if (texts.length === 0) return '';
  return html`<section class="card stack" aria-labelledby="texts-title">
    <h2 id="texts-title">${plural(texts.length, 'reply needs', 'replies need')} a person</h2>
    <ul class="list">${texts.map((text) => inboundItem(text, token, back))}</ul>
  </section>`;
}
