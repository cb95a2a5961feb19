import { html } from 'hono/html';
import type { MessageView } from '#schemas/views.ts';
import { answered, handedOver } from './board-view.ts';
import { number, people, plural } from '#web/console/shell/format.ts';
import { messageTags, messageTitle } from './message-view.ts';
import type { Html, Part } from '#web/console/shell/parts.ts';
import { time } from '#web/console/shell/parts.ts';

function progress(message: MessageView): Part {
  const { times } = message;
  if (message.state === 'draft') return html`${message.audience.count !== null && `for ${people(message.audience.count)}, `}written ${time(times.createdAt)}`;
  if (message.state === 'scheduled') return html`for ${people(message.audience.count ?? 0)}, starts ${time(times.startAt)}`;
  const parts = [
    `${people(message.audience.count ?? 0)}`,
    `${plural(handedOver(message.deliveries), 'delivery', 'deliveries')} handed over`,
    `${number(answered(message))} answered`,
  ];
  const doubt = message.deliveries.unknown + message.deliveries.unresolved;
  if (doubt > 0) parts.push(`${number(doubt)} in doubt`);
  return html`${parts.join(', ')} · ${time(times.launchedAt ?? times.createdAt)}`;
}

export function messageList(messages: readonly MessageView[]): Html {
  if (messages.length === 0) return html`<p class="soft">No messages yet.</p>`;
  return html`<ul class="list">${messages.map(
    (message) =>
      html`<li class="item"><div><a class="title" href="/messages/${message.id}">${messageTitle(message)}</a><br><span class="soft small num">${progress(message)}</span></div>${messageTags(message)}</li>`,
  )}</ul>`;
}

/** Shows links to the next page and, on a later page, back to the first. */
export function pager(path: string, query: Readonly<Record<string, string>>, next: string | null, current: string | undefined): Part {
  if (next === null && current === undefined) return '';
  const link = (more: Record<string, string>): string => `${path}?${new URLSearchParams({ ...query, ...more })}`.replace(/\?$/, '');
  return html`<nav class="pager" aria-label="Pages">${current === undefined ? html`<span></span>` : html`<a href="${link({})}">Back to the first page</a>`}${next !== null && html`<a class="btn" href="${link({ cursor: next })}">Next page</a>`}</nav>`;
}
