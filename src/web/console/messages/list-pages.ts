import { html } from 'hono/html';
import { DELIVERY_STATES, type DeliveryState } from '#schemas/delivery.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { listAnswers } from '#services/answers/list-answers.ts';
import { listDeliveries } from '#services/delivery/list-deliveries.ts';
import { markHandled } from '#services/inbound/mark-handled.ts';
import { answerItem } from './board-view.ts';
import type { ConsoleContext } from '#web/console/shell/env.ts';
import { readForm } from '#web/console/shell/form.ts';
import { CHANNEL_NAMES, codeName, DELIVERY_STATE_MEANINGS, DELIVERY_STATE_NAMES, number } from '#web/console/shell/format.ts';
import { safeNext } from '#web/console/shell/guard.ts';
import { show } from '#web/console/shell/layout.ts';
import { pager } from './message-list.ts';
import { messageTitle } from './message-view.ts';
import { Pages } from '#web/console/shell/pages.ts';
import { deliveryTag, doubtLine, time } from '#web/console/shell/parts.ts';

export const deliveryState = (text: string | undefined): DeliveryState | undefined => DELIVERY_STATES.find((state) => state === text);

async function deliveriesPage(c: ConsoleContext): Promise<Response> {
  const message = await getMessage(c.var.ctx, c.req.param('id') ?? '');
  const state = deliveryState(c.req.query('state'));
  const cursor = c.req.query('cursor');
  const page = await listDeliveries(c.var.ctx, message.id, { state, cursor, limit: 50 });
  const path = `/messages/${message.id}/deliveries`;
  const body = html`<p class="crumb"><a href="/messages/${message.id}">${messageTitle(message)}</a></p>
    <div class="head"><h1>${state ? `${DELIVERY_STATE_NAMES[state]}: ${number(message.deliveries[state])}` : 'All deliveries'}</h1><a class="btn" href="${path}.csv${state ? `?state=${state}` : ''}">Download CSV</a></div>
    <nav class="row" aria-label="States"><a href="${path}">All</a>${DELIVERY_STATES.filter((one) => message.deliveries[one] > 0).map((one) => html`<a href="${path}?state=${one}"${one === state ? html` aria-current="page"` : ''}>${DELIVERY_STATE_NAMES[one]} (${number(message.deliveries[one])})</a>`)}</nav>
    ${state && html`<p class="soft">${DELIVERY_STATE_MEANINGS[state]}</p>`}
    <section class="card scroll"><table class="cells"><thead><tr><th scope="col">Person</th><th scope="col">Channel</th><th scope="col">State</th><th scope="col">Reason</th><th scope="col" class="num">Tries</th><th scope="col">Last change</th></tr></thead>
      <tbody>${page.items.map(
        (delivery) =>
          html`<tr><th scope="row"><a href="/people/${delivery.recipientId}">${delivery.name ?? 'Unnamed'}</a></th><td data-label="Channel">${CHANNEL_NAMES[delivery.channel]}</td><td>${deliveryTag(delivery.state)}</td><td data-label="Reason">${doubtLine(delivery) ?? codeName(delivery.code)}</td><td class="num" data-label="Tries">${delivery.attempts}</td><td data-label="Last change">${time(delivery.settledAt ?? delivery.markedAt)}</td></tr>`,
      )}</tbody></table>${page.items.length === 0 && html`<p class="soft">Nobody is in this state.</p>`}</section>
    ${pager(path, state ? { state } : {}, page.next, cursor)}`;
  return show(c, { title: `Deliveries: ${messageTitle(message)}`, section: 'messages', body });
}

async function answersPage(c: ConsoleContext): Promise<Response> {
  const message = await getMessage(c.var.ctx, c.req.param('id') ?? '');
  const cursor = c.req.query('cursor');
  const page = await listAnswers(c.var.ctx, message.id, { cursor, limit: 100 });
  const path = `/messages/${message.id}/answers`;
  const body = html`<p class="crumb"><a href="/messages/${message.id}">${messageTitle(message)}</a></p>
    <div class="head"><h1>Answers</h1><a class="btn" href="${path}.csv">Download CSV</a></div>
    <section class="card">${page.items.length === 0 ? html`<p class="soft">Nobody has answered yet.</p>` : html`<ul class="list">${page.items.map(answerItem)}</ul>`}</section>
    ${pager(path, {}, page.next, cursor)}`;
  return show(c, { title: `Answers: ${messageTitle(message)}`, section: 'messages', body });
}

/** Puts a text away that a person has dealt with. */
async function handled(c: ConsoleContext): Promise<Response> {
  const form = await readForm(c);
  await markHandled(c.var.ctx, c.req.param('id') ?? '');
  return c.redirect(safeNext(form.get('back')), 303);
}

/** The long lists behind the board's short ones, and the button that puts a text away. */
export const listPages = (): Pages =>
  new Pages()
    .get('/messages/:id/deliveries', 'read', deliveriesPage)
    .get('/messages/:id/answers', 'read', answersPage)
    .post('/texts/:id/handled', 'write', handled);
