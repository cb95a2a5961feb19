import { html } from 'hono/html';
import { Problem } from '#platform/errors.ts';
import { type Channel, CHANNELS } from '#schemas/delivery.ts';
import { type ApiKeyView, createApiKey, listApiKeys, revokeApiKey } from '#services/access/api-keys.ts';
import type { Scope } from '#services/context.ts';
import { getSettings } from '#services/organisations/get-settings.ts';
import { listSenders, releaseSender, type SenderView, type SendingState, sendingState } from '#services/organisations/senders.ts';
import { stopEverything } from '#services/messages/stop-everything.ts';
import type { ConsoleContext } from '#web/console/shell/env.ts';
import { Form, readForm } from '#web/console/shell/form.ts';
import { CHANNEL_NAMES, CLASS_NAMES, number, onTheWay, percent } from '#web/console/shell/format.ts';
import { show } from '#web/console/shell/layout.ts';
import { organisationCard, saveOrganisation } from './organisation-form.ts';
import { Pages } from '#web/console/shell/pages.ts';
import { attribute, csrf, errorOf, type FormError, type Html, input, type Part, time, toFormErrors } from '#web/console/shell/parts.ts';
import { stoppedBanner } from '#web/console/shell/stopped-banner.ts';

const SCOPE_LABELS: Record<Scope, string> = {
  read: 'Read everything',
  write: 'Change people, write drafts, stop and correct',
  'send:life': 'Send life safety messages',
  'send:ops': 'Send operations messages',
  'send:bulk': 'Send campaigns',
  admin: 'Manage keys and senders',
  operator: 'Stop and release the whole installation',
};
const SCOPES = Object.keys(SCOPE_LABELS) as Scope[];

function senderRow(sender: SenderView, token: string, admin: boolean): Html {
  const rate = sender.unitsPerSecond === null ? 'no limit' : `${number(sender.unitsPerSecond)} per second`;
  const again =
    admin &&
    html`<form method="post" action="/settings/senders/${sender.id}/release">${csrf(token)}<button class="btn small">Try again<span class="hide"> with ${sender.name}</span></button></form>`;
  const state = sender.stoppedAt
    ? html`<span class="tag bad">Stopped</span> <span class="small">${sender.stoppedReason ?? ''} since ${time(sender.stoppedAt)}</span>${again}`
    : sender.failing
      ? html`<span class="tag bad">Provider fails</span> <span class="small">${sender.failing.code ?? ''} since ${time(sender.failing.since)}. Campaigns wait; a few people are tried until it answers.</span>${again}`
      : sender.throttle < 1
        ? html`<span class="tag warn">Slowed to ${percent(sender.throttle, 1)}</span>`
        : html`<span class="tag good">Works</span>`;
  return html`<tr><th scope="row">${sender.name}${sender.drill && html` <span class="tag drill">Exercise</span>`}<br><span class="soft small">${sender.address}${sender.account > 1 && html` (account ${sender.account})`}</span></th>
    <td data-label="Channel">${CHANNEL_NAMES[sender.channel]}</td><td data-label="For">${sender.classes.map((key) => CLASS_NAMES[key]).join(', ')}</td><td data-label="Rate">${rate}</td><td>${state}</td></tr>`;
}

function channelControls(state: SendingState, token: string): Html {
  return html`<section class="card stack" aria-labelledby="stop-title"><h2 id="stop-title">Stop a channel</h2>
    <p class="soft">What is queued for it waits until you release it. To stop everything, use <a href="/stop">Stop all sending</a>.</p>
    <ul class="list">${CHANNELS.map((channel) => {
      const stopped = state.stoppedChannels.includes(channel);
      return html`<li class="item"><span><b>${CHANNEL_NAMES[channel]}</b> ${stopped ? html`<span class="tag bad">■ Stopped</span>` : html`<span class="tag good">Running</span>`}</span>
        <form method="post" action="/settings/channels/${channel}">${csrf(token)}<input type="hidden" name="release" value="${stopped ? 'yes' : 'no'}"><button class="btn small ${stopped ? '' : 'stop'}">${stopped ? 'Release' : 'Stop'} ${CHANNEL_NAMES[channel]}</button></form></li>`;
    })}</ul></section>`;
}

/** Says in the words and order of the form what a key may do. */
const scopeWords = (scopes: readonly string[]): string => {
  const [first = '', ...rest] = SCOPES.filter((scope) => scopes.includes(scope)).map((scope) => SCOPE_LABELS[scope]);
  return [first, ...rest.map((words) => words.charAt(0).toLowerCase() + words.slice(1))].join('; ');
};

function keyItem(key: ApiKeyView, token: string): Html {
  return html`<li class="item"><div><span class="title">${key.name}</span> ${key.mode === 'test' && html`<span class="tag drill">Exercises only</span>`}<br><span class="soft small">${scopeWords(key.scopes)}. Made ${time(key.createdAt)}, ${key.lastUsedAt ? html`last used ${time(key.lastUsedAt)}` : 'never used'}</span></div>
    ${key.revokedAt ? html`<span class="tag">Revoked</span>` : html`<form method="post" action="/settings/keys/${key.id}/revoke">${csrf(token)}<button class="btn small stop">Revoke<span class="hide"> ${key.name}</span></button></form>`}</li>`;
}

function keyForm(form: Form, errors: readonly FormError[], token: string, operator: boolean): Html {
  const error = errorOf(errors, 'scope-read');
  const chosen = form.has('name') ? form.all('scope') : ['read'];
  return html`<form method="post" action="/settings/keys" class="stack" novalidate>${csrf(token)}
    ${input({ id: 'name', label: 'What is the key for?', value: form.get('name'), errors })}
    <fieldset class="field"><legend>What may it do?</legend>${error && html`<div class="error">${error}</div>`}
      ${SCOPES.filter((scope) => operator || scope !== 'operator').map((scope) => html`<label class="check"><input type="checkbox" id="scope-${scope}" name="scope" value="${scope}"${attribute('checked', chosen.includes(scope))}> ${SCOPE_LABELS[scope]}</label>`)}</fieldset>
    <label class="check"><input type="checkbox" name="test" value="yes"${attribute('checked', form.has('test'))}> Only for exercises: it can never reach a real sender</label>
    <div><button class="btn main">Make a key</button></div></form>`;
}

interface Typed {
  /** The form for a new key, as it was sent and refused. */
  readonly key?: Form;
  /** The form of the organisation, as it was sent and refused. */
  readonly organisation?: Form;
}

async function settingsPage(c: ConsoleContext, typed: Typed = {}, errors: readonly FormError[] = [], notice: Part = ''): Promise<Response> {
  const { ctx, session } = c.var;
  const admin = ctx.actor.scopes.has('admin');
  const [senders, state, keys, settings] = await Promise.all([listSenders(ctx), sendingState(ctx), admin ? listApiKeys(ctx) : [], getSettings(ctx)]);
  const body = html`<h1>Settings</h1>${notice}
    <section class="card stack" aria-labelledby="senders-title"><h2 id="senders-title">Senders</h2>
      <div class="scroll"><table class="cells"><thead><tr><th scope="col">Sender</th><th scope="col">Channel</th><th scope="col">For</th><th scope="col">Rate</th><th scope="col">State</th></tr></thead>
      <tbody>${senders.map((sender) => senderRow(sender, session.csrfToken, admin))}</tbody></table></div></section>
    ${ctx.actor.scopes.has('write') && channelControls(state, session.csrfToken)}
    ${organisationCard(settings, admin, typed.organisation, errors, session.csrfToken)}
    ${
      admin &&
      html`<section class="card stack" aria-labelledby="keys-title"><h2 id="keys-title">API keys</h2>
        ${keys.length > 0 ? html`<ul class="list">${keys.map((key) => keyItem(key, session.csrfToken))}</ul>` : html`<p class="soft">No keys yet.</p>`}
        <h3>New key</h3>${keyForm(typed.key ?? Form.of({}), errors, session.csrfToken, session.operator)}</section>`
    }`;
  return show(c, { title: 'Settings', section: 'settings', errors, body, banner: stoppedBanner(state, session.operator) });
}

async function makeKey(c: ConsoleContext): Promise<Response> {
  const form = await readForm(c);
  const scopes = SCOPES.filter((scope) => form.all('scope').includes(scope));
  try {
    const { key } = await createApiKey(c.var.ctx, { name: form.get('name'), mode: form.has('test') ? 'test' : 'live', scopes });
    const notice = html`<div class="note good stack tight" role="status"><b>Your new key. It is shown only now:</b><code id="new-key">${key}</code><div><button type="button" class="btn small" data-copy="new-key">Copy</button></div></div>`;
    return await settingsPage(c, {}, [], notice);
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status !== 422) throw problem;
    return settingsPage(
      c,
      { key: form },
      toFormErrors(problem.errors, problem.message, (name) => (name === 'scopes' ? 'scope-read' : 'name')),
    );
  }
}

const channelOf = (text: string): Channel | undefined => CHANNELS.find((channel) => channel === text);

function notices(saved: string | undefined, stopped: string | undefined): Part {
  const [, name = '', inFlight] = /^(\w{1,10})\.(\d{1,9})$/.exec(stopped ?? '') ?? [];
  const channel = channelOf(name);
  if (channel && inFlight !== undefined)
    return html`<p class="note good" role="status"><b>${CHANNEL_NAMES[channel]} is stopped.</b> ${onTheWay(Number(inFlight))}</p>`;
  return saved !== undefined && html`<p class="note good" role="status">Saved.</p>`;
}

async function saveSettings(c: ConsoleContext): Promise<Response> {
  const form = await readForm(c);
  const errors = await saveOrganisation(c.var.ctx, form);
  return errors.length > 0 ? settingsPage(c, { organisation: form }, errors) : c.redirect('/settings?saved', 303);
}

async function stopChannel(c: ConsoleContext): Promise<Response> {
  const channel = channelOf(c.req.param('channel') ?? '');
  if (!channel) throw new Problem(404, 'not_found', 'No such channel.');
  const release = (await readForm(c)).get('release') === 'yes';
  const { inFlight } = await stopEverything(c.var.ctx, { scope: 'channel', channel, release });
  return c.redirect(release ? '/settings' : `/settings?stopped=${channel}.${inFlight}`, 303);
}

/** `GET /settings` and its buttons. */
export const settingsPages = (): Pages =>
  new Pages()
    .get('/settings', 'read', (c) => settingsPage(c, {}, [], notices(c.req.query('saved'), c.req.query('stopped'))))
    .post('/settings/organisation', 'admin', saveSettings)
    .post('/settings/keys', 'admin', makeKey)
    .post('/settings/keys/:id/revoke', 'admin', async (c) => {
      await revokeApiKey(c.var.ctx, c.req.param('id'));
      return c.redirect('/settings', 303);
    })
    .post('/settings/senders/:id/release', 'admin', async (c) => {
      await releaseSender(c.var.ctx, c.req.param('id'));
      return c.redirect('/settings', 303);
    })
    .post('/settings/channels/:channel', 'write', stopChannel);
