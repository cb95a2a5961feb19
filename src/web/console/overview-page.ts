import { Hono } from 'hono';
import { html } from 'hono/html';
import { CHANNELS, type Channel } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { type InboundView, listInbound } from '#services/inbound/list-inbound.ts';
import { listMessages } from '#services/messages/list-messages.ts';
import { type SenderView, listSenders, type SendingState, sendingState } from '#services/organisations/senders.ts';
import { stopEverything } from '#services/messages/stop-everything.ts';
import { answered, handedOver, saidYes } from '#web/console/messages/board-view.ts';
import type { ConsoleContext, ConsoleEnv } from '#web/console/shell/env.ts';
import { readForm } from '#web/console/shell/form.ts';
import { CHANNEL_NAMES, number, onTheWay, people, percent, plural } from '#web/console/shell/format.ts';
import { requireScope } from '#web/console/shell/guard.ts';
import { inboundList } from '#web/console/messages/inbound-view.ts';
import { show } from '#web/console/shell/layout.ts';
import { messageList } from '#web/console/messages/message-list.ts';
import { messageTags, messageTitle } from '#web/console/messages/message-view.ts';
import { bar, csrf, type Html, type Part } from '#web/console/shell/parts.ts';

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

/** Senders that stopped themselves or whose provider fails, and doubtful calls: nobody but a person can decide these. */
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

const NOTICED: Record<string, string> = {
  another_database: 'it is another database than before',
  copied_files: 'its files are a copy',
  went_back: 'it is older than what our processes remember',
  new_timeline: 'it was recovered, and no process that knew it before can say that nothing is missing',
};

export function stoppedBanner(state: SendingState, operator: boolean): Part {
  if (state.restored !== null)
    return html`<div class="banner">■ This installation was restored from a backup (${NOTICED[state.restored] ?? state.restored}). Nothing leaves until an operator ${operator ? html`<a href="/stop?scope=installation">has looked at it and releases it</a>` : 'of the installation has looked at it and releases it'}.</div>`;
  if (state.installationStopped)
    return html`<div class="banner">■ All sending of this installation is stopped. ${operator ? html`<a href="/stop?scope=installation">Release</a>` : 'An operator of it releases it.'}</div>`;
  if (state.tenantStoppedAt !== null) return html`<div class="banner">■ All sending is stopped. Nothing leaves. <a href="/stop">Release</a></div>`;
  if (state.stoppedChannels.length > 0)
    return html`<div class="banner">■ Stopped: ${state.stoppedChannels.map((channel) => CHANNEL_NAMES[channel]).join(', ')}. <a href="/settings">Settings</a></div>`;
  return '';
}

/** `GET /`: what is going on, and what needs a human. `GET POST /stop`: one control over everything. */
export const overviewRoutes = (): Hono<ConsoleEnv> =>
  new Hono<ConsoleEnv>()
    .get('/', async (c) => {
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
    })
    .get('/stop', async (c) => {
      requireScope(c, 'write');
      const state = await sendingState(c.var.ctx);
      const token = c.var.session.csrfToken;
      const stopped = state.tenantStoppedAt !== null;
      if (c.req.query('scope') === 'installation') return installationPage(c, state);
      const body = html`${
        stopped
          ? html`<h1>Release all sending?</h1><form method="post" class="card stack">${csrf(token)}<input type="hidden" name="release" value="yes">
            <p>Everything that waited goes on at once, unless its message was stopped or has ended.</p>
            <div class="row"><button class="btn main big wide">Release all sending</button><a class="btn wide" href="/">Keep it stopped</a></div></form>`
          : html`<h1>Stop all sending?</h1><form method="post" class="card stack">${csrf(token)}
            <p>Within a second no new call starts, on any channel, for any message, also life safety. What is queued waits until you release it.</p>
            <div class="row"><button class="btn danger big wide">Stop all sending now</button><a class="btn wide" href="/">Go back</a></div></form>`
      }${
        c.var.ctx.actor.scopes.has('operator') &&
        html`<p class="soft small"><a href="/stop?scope=installation">${state.installationStopped ? 'Release' : 'Stop'} the whole installation</a>, with every organisation on it.</p>`
      }`;
      return show(c, { title: stopped ? 'Release all sending' : 'Stop all sending', section: 'overview', narrow: true, body });
    })
    .post('/stop', async (c) => {
      requireScope(c, 'write');
      const form = await readForm(c);
      const release = form.get('release') === 'yes';
      const scope = form.get('scope') === 'installation' ? 'installation' : 'tenant';
      const { inFlight } = await stopEverything(c.var.ctx, { scope, release });
      if (release) return c.redirect('/', 303);
      const title = scope === 'installation' ? 'The whole installation is stopped' : 'All sending is stopped';
      const body = html`<h1>${title}</h1><p class="note good" role="status">No new call starts. ${onTheWay(inFlight)}</p>
        <div class="row"><a class="btn main" href="/">To the overview</a><a class="btn" href="${scope === 'installation' ? '/stop?scope=installation' : '/stop'}">Release</a></div>`;
      return show(c, { title, section: 'overview', narrow: true, body });
    });

/** Every organisation on this installation: for its operators alone. */
function installationPage(c: ConsoleContext, state: SendingState): Promise<Response> {
  requireScope(c, 'operator');
  const hidden = html`${csrf(c.var.session.csrfToken)}<input type="hidden" name="scope" value="installation">`;
  const back = html`<a class="btn wide" href="/">Go back</a>`;
  const body = state.installationStopped
    ? html`<h1>Release the whole installation?</h1>${state.restored !== null && html`<p class="note bad"><b>It was restored from a backup.</b> What was sent after the backup is not known here. Calls that were under way are listed as in doubt, and campaigns that were live are stopped: whoever waited in them may or may not have been called. Stop every other message that must not go on, then release.</p>`}<form method="post" action="/stop" class="card stack">${hidden}<input type="hidden" name="release" value="yes">
        <p>Everything that waited goes on at once, for every organisation, unless it holds its own sending.</p>
        <div class="row"><button class="btn main big wide">Release the whole installation</button>${back}</div></form>`
    : html`<h1>Stop the whole installation?</h1><form method="post" action="/stop" class="card stack">${hidden}
        <p>Within a second no new call starts, for any organisation, also life safety. What is queued waits until it is released.</p>
        <div class="row"><button class="btn danger big wide">Stop the whole installation now</button>${back}</div></form>`;
  return show(c, { title: state.installationStopped ? 'Release the installation' : 'Stop the installation', section: 'overview', narrow: true, body });
}

export const channelOf = (text: string): Channel | undefined => CHANNELS.find((channel) => channel === text);
