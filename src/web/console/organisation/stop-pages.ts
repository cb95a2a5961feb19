import { html } from 'hono/html';
import { stopEverything } from '#services/messages/stop-everything.ts';
import { type SendingState, sendingState } from '#services/organisations/senders.ts';
import type { ConsoleContext } from '#web/console/shell/env.ts';
import { readForm } from '#web/console/shell/form.ts';
import { onTheWay } from '#web/console/shell/format.ts';
import { requireScope } from '#web/console/shell/guard.ts';
import { show } from '#web/console/shell/layout.ts';
import { Pages } from '#web/console/shell/pages.ts';
import { csrf, type Html, type Part } from '#web/console/shell/parts.ts';

const releaseForm = (token: string): Html =>
  html`<h1>Release all sending?</h1><form method="post" class="card stack">${csrf(token)}<input type="hidden" name="release" value="yes">
            <p>Everything that waited goes on at once, unless its message was stopped or has ended.</p>
            <div class="row"><button class="btn main big wide">Release all sending</button><a class="btn wide" href="/">Keep it stopped</a></div></form>`;

const stopForm = (token: string): Html =>
  html`<h1>Stop all sending?</h1><form method="post" class="card stack">${csrf(token)}
            <p>Within a second no new call starts, on any channel, for any message, also life safety. What is queued waits until you release it.</p>
            <div class="row"><button class="btn danger big wide">Stop all sending now</button><a class="btn wide" href="/">Go back</a></div></form>`;

const installationLink = (state: SendingState): Html =>
  html`<p class="soft small"><a href="/stop?scope=installation">${state.installationStopped ? 'Release' : 'Stop'} the whole installation</a>, with every organisation on it.</p>`;

async function stopPage(c: ConsoleContext): Promise<Response> {
  const state = await sendingState(c.var.ctx);
  if (c.req.query('scope') === 'installation') return installationPage(c, state);
  const token = c.var.session.csrfToken;
  const stopped = state.tenantStoppedAt !== null;
  const body = html`${stopped ? releaseForm(token) : stopForm(token)}${c.var.ctx.actor.scopes.has('operator') && installationLink(state)}`;
  return show(c, { title: stopped ? 'Release all sending' : 'Stop all sending', section: 'overview', narrow: true, body });
}

async function stop(c: ConsoleContext): Promise<Response> {
  const form = await readForm(c);
  const release = form.get('release') === 'yes';
  const scope = form.get('scope') === 'installation' ? 'installation' : 'tenant';
  const { inFlight } = await stopEverything(c.var.ctx, { scope, release });
  if (release) return c.redirect('/', 303);
  const title = scope === 'installation' ? 'The whole installation is stopped' : 'All sending is stopped';
  const body = html`<h1>${title}</h1><p class="note good" role="status">No new call starts. ${onTheWay(inFlight)}</p>
        <div class="row"><a class="btn main" href="/">To the overview</a><a class="btn" href="${scope === 'installation' ? '/stop?scope=installation' : '/stop'}">Release</a></div>`;
  return show(c, { title, section: 'overview', narrow: true, body });
}

const restoredNote = (state: SendingState): Part =>
  state.restored !== null &&
  html`<p class="note bad"><b>It was restored from a backup.</b> What was sent after the backup is not known here. Calls that were under way are listed as in doubt, and campaigns that were live are stopped: whoever waited in them may or may not have been called. Stop every other message that must not go on, then release.</p>`;

/** The stop of every organisation on this installation, which is for its operators alone. */
function installationPage(c: ConsoleContext, state: SendingState): Promise<Response> {
  requireScope(c, 'operator');
  const hidden = html`${csrf(c.var.session.csrfToken)}<input type="hidden" name="scope" value="installation">`;
  const back = html`<a class="btn wide" href="/">Go back</a>`;
  const body = state.installationStopped
    ? html`<h1>Release the whole installation?</h1>${restoredNote(state)}<form method="post" action="/stop" class="card stack">${hidden}<input type="hidden" name="release" value="yes">
        <p>Everything that waited goes on at once, for every organisation, unless it holds its own sending.</p>
        <div class="row"><button class="btn main big wide">Release the whole installation</button>${back}</div></form>`
    : html`<h1>Stop the whole installation?</h1><form method="post" action="/stop" class="card stack">${hidden}
        <p>Within a second no new call starts, for any organisation, also life safety. What is queued waits until it is released.</p>
        <div class="row"><button class="btn danger big wide">Stop the whole installation now</button>${back}</div></form>`;
  return show(c, { title: state.installationStopped ? 'Release the installation' : 'Stop the installation', section: 'overview', narrow: true, body });
}

/** `GET POST /stop`: one control over everything that leaves. */
export const stopPages = (): Pages => new Pages().get('/stop', 'write', stopPage).post('/stop', 'write', stop);
