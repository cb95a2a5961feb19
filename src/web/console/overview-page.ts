import { html } from 'hono/html';
import type { MessageView } from '#schemas/views.ts';
import { type InboundView, listInbound } from '#services/inbound/list-inbound.ts';
import { listMessages } from '#services/messages/list-messages.ts';
import { listSenders, type SenderView, sendingState } from '#services/organisations/senders.ts';
import { answered, handedOver, saidYes } from '#web/console/messages/board-view.ts';
import type { ConsoleContext } from '#web/console/shell/env.ts';
import { CHANNEL_NAMES, number, people, percent, plural } from '#web/console/shell/format.ts';
import { inboundList } from '#web/console/messages/inbound-view.ts';
import { show } from '#web/console/shell/layout.ts';
import { messageList } from '#web/console/messages/message-list.ts';
import { messageTags, messageTitle } from '#web/console/messages/message-view.ts';
import { Pages } from '#web/console/shell/pages.ts';
import { bar, type Html } from '#web/console/shell/parts.ts';
import { stoppedBanner } from '#web/console/shell/stopped-banner.ts';

function liveCard(message: MessageView): Html {
  const all = message.waves.reduce((n, wave) => n + wave.planned, 0);
  const done = handedOver(message.deliveries);
  const yes = saidYes(message);
  return html`<li class="stack tight"><div class="item"><a class="title" href="/messages/${message.id}">${messageTitle(message)}</a>${messageTags(message)}</div>
    ${bar(
      [
        { n: done, fill: 'f-delivered', label: 'handed over' },
        { n: message.deliveries.failed, fill: 'f-failed', label: 'not reached' },
      ],
      all,
      true,
    )}
    <span class="soft small num">${people(message.audience.count ?? 0)}, ${percent(done, all)} handed over, ${number(answered(message))} answered${yes !== undefined && `, ${number(yes)} said yes`}</span></li>`;
}

const nameOf = (sender: SenderView, reason: string | null): string => `${sender.name} (${CHANNEL_NAMES[sender.channel]}${reason ? `: ${reason}` : ''})`;

/** Shows what only a person can decide: senders that stopped themselves or whose provider fails, doubtful calls, and texts. */
function attention(senders: readonly SenderView[], messages: readonly MessageView[], texts: readonly InboundView[], token: string): Html {
  const broken = senders.filter((sender) => sender.stoppedAt !== null);
  const failing = senders.filter((sender) => sender.stoppedAt === null && sender.failing !== null);
  const doubtful = messages.filter((message) => message.deliveries.unknown + message.deliveries.unresolved > 0);
  if (broken.length + failing.length + doubtful.length + texts.length === 0) return html`<p class="note good">Nothing waits for you.</p>`;
  return html`${
    broken.length > 0 &&
    html`<div class="note bad"><b>${plural(broken.length, 'sender')} stopped working:</b> ${broken.map((sender) => nameOf(sender, sender.stoppedReason)).join(', ')}. What should leave through it waits. <a href="/settings">Look at the senders</a></div>`
  }
  ${
    failing.length > 0 &&
    html`<div class="note bad"><b>${failing.length === 1 ? 'A provider fails' : `${number(failing.length)} providers fail`}:</b> ${failing.map((sender) => nameOf(sender, sender.failing?.code ?? null)).join(', ')}. Campaigns through it wait and go on by themselves; life messages go by another sender where there is one. <a href="/settings">Look at the senders</a></div>`
  }
  ${
    doubtful.length > 0 &&
    html`<section class="card stack tight" aria-labelledby="doubt-title"><h2 id="doubt-title">In doubt</h2><p class="soft">A carrier did not say whether it took these.</p>
      <ul class="list">${doubtful.map((message) => html`<li class="item"><a class="title" href="/messages/${message.id}">${messageTitle(message)}</a><b class="num">${number(message.deliveries.unknown + message.deliveries.unresolved)}</b></li>`)}</ul></section>`
  }
  ${inboundList(texts, token, '/')}`;
}

async function overviewPage(c: ConsoleContext): Promise<Response> {
  const { ctx, session } = c.var;
  const [recent, live, texts, senders, state] = await Promise.all([
    listMessages(ctx, { limit: 12 }),
    listMessages(ctx, { state: 'live', limit: 20 }),
    listInbound(ctx, { needsHuman: true, limit: 20 }),
    listSenders(ctx),
    sendingState(ctx),
  ]);
  const known = [...new Map([...live.items, ...recent.items].map((message) => [message.id, message])).values()];
  const others = recent.items.filter((message) => message.state !== 'live');
  const writes = ctx.actor.scopes.has('write');
  const body = html`<div class="head"><h1>Overview</h1>${writes && html`<a class="btn main big" href="/messages/new">New message</a>`}</div>
        <div class="split">
          ${live.items.length > 0 && html`<section class="card stack" aria-labelledby="live-title"><h2 id="live-title">Live now</h2><ul class="list">${live.items.map(liveCard)}</ul></section>`}
          <div class="stack aside">
            <h2>Needs a person</h2>
            ${attention(senders, known, texts.items, session.csrfToken)}
            ${writes && !state.installationStopped && (state.tenantStoppedAt === null ? html`<a class="btn stop big" href="/stop">■ Stop all sending</a>` : html`<a class="btn big" href="/stop">Release all sending</a>`)}
          </div>
          <section class="card stack below" aria-labelledby="recent-title"><div class="head"><h2 id="recent-title">Recent</h2><a href="/messages">All messages</a></div>${messageList(others.slice(0, 8))}</section>
        </div>`;
  return show(c, { title: 'Overview', section: 'overview', body, banner: stoppedBanner(state, session.operator) });
}

/** `GET /`: what is going on, and what waits for a person. */
export const overviewPages = (): Pages => new Pages().get('/', 'read', overviewPage);
