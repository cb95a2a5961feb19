import { html } from 'hono/html';
import { Problem } from '#platform/errors.ts';
import type { RecipientView } from '#schemas/recipient.ts';
import { changeRecipient } from '#services/recipients/change-recipient.ts';
import { createRecipient } from '#services/recipients/create-recipient.ts';
import { eraseRecipient } from '#services/recipients/erase-recipient.ts';
import { getRecipient } from '#services/recipients/get-recipient.ts';
import { listRecipients } from '#services/recipients/list-recipients.ts';
import type { ConsoleContext } from '#web/console/shell/env.ts';
import { Form, readForm } from '#web/console/shell/form.ts';
import { plural } from '#web/console/shell/format.ts';
import { show } from '#web/console/shell/layout.ts';
import { pager } from '#web/console/messages/message-list.ts';
import { Pages } from '#web/console/shell/pages.ts';
import { csrf, type FormError, type Html, type Part, time } from '#web/console/shell/parts.ts';
import { formOf, recipientChange, recipientErrors, recipientFields, recipientInput } from './recipient-form.ts';

const recipientName = (recipient: RecipientView): string => recipient.name ?? recipient.externalId ?? recipient.phone ?? recipient.email ?? 'Unnamed';

function reach(recipient: RecipientView): Html {
  return html`${recipient.phone && html`<span class="num">${recipient.phone}</span>${recipient.phoneInvalidAt && html` <span class="tag bad">does not work</span>`}<br>`}
    ${recipient.email && html`${recipient.email}${recipient.emailInvalidAt && html` <span class="tag bad">does not work</span>`}<br>`}
    ${recipient.pushSubscriptions > 0 && plural(recipient.pushSubscriptions, 'browser')}
    ${!recipient.phone && !recipient.email && recipient.pushSubscriptions === 0 && html`<span class="tag warn">nothing reaches this person</span>`}`;
}

async function listPage(c: ConsoleContext): Promise<Response> {
  const q = c.req.query('q')?.trim() ?? '';
  const tag = c.req.query('tag')?.trim() ?? '';
  const cursor = c.req.query('cursor');
  const page = await listRecipients(c.var.ctx, { q: q || undefined, tag: tag || undefined, cursor, limit: 50 });
  const query = { ...(q ? { q } : {}), ...(tag ? { tag } : {}) };
  const writes = c.var.ctx.actor.scopes.has('write');
  const body = html`<div class="head"><h1>People</h1>${writes && html`<div class="row"><a class="btn" href="/people/import">Import a file</a><a class="btn main" href="/people/new">Add a person</a></div>`}</div>
    <form method="get" action="/people" role="search" class="card row end">
      <div class="field grow"><label for="q">Search by name, phone, e-mail or external id</label><input type="search" id="q" name="q" value="${q}"></div>
      <div class="field"><label for="tag">Tag</label><input type="text" class="w8" id="tag" name="tag" value="${tag}" autocomplete="off"></div>
      <button class="btn">Search</button>
    </form>
    <section class="card scroll" aria-label="People found">${
      page.items.length === 0
        ? html`<p class="soft">${q || tag ? 'Nobody matches this search.' : 'Nobody is here yet. Import a file or add a person.'}</p>`
        : html`<table class="cells"><thead><tr><th scope="col">Name</th><th scope="col">Reach</th><th scope="col">Tags</th><th scope="col">Skills</th><th scope="col">Language</th></tr></thead>
            <tbody>${page.items.map(
              (recipient) =>
                html`<tr><th scope="row"><a href="/people/${recipient.id}">${recipientName(recipient)}</a>${recipient.origin === 'share' && html` <span class="tag info">joined</span>`}</th><td>${reach(recipient)}</td><td data-label="Tags">${recipient.tags.join(', ')}</td><td data-label="Skills">${recipient.skills.join(', ')}</td><td data-label="Language">${recipient.locale}</td></tr>`,
            )}</tbody></table>`
    }</section>
    ${pager('/people', query, page.next, cursor)}`;
  return show(c, { title: 'People', section: 'recipients', body });
}

function newPage(c: ConsoleContext, form: Form, errors: readonly FormError[]): Promise<Response> {
  const body = html`<p class="crumb"><a href="/people">People</a></p><h1>Add a person</h1>
    <form method="post" action="/people/new" class="card stack" novalidate>${csrf(c.var.session.csrfToken)}${recipientFields(form, errors)}<div><button class="btn main wide">Add this person</button></div></form>`;
  return show(c, { title: 'Add a person', section: 'recipients', narrow: true, errors, body });
}

const ORIGINS = { import: 'Imported', api: 'Added', share: 'Joined through a share' } as const;

function editPage(c: ConsoleContext, recipient: RecipientView, form: Form, errors: readonly FormError[], notice: Part = ''): Promise<Response> {
  const token = c.var.session.csrfToken;
  const writes = c.var.ctx.actor.scopes.has('write');
  const body = html`<p class="crumb"><a href="/people">People</a></p><h1>${recipientName(recipient)}</h1>${notice}
    <div class="soft">${ORIGINS[recipient.origin]} ${time(recipient.createdAt)}${recipient.parentId && html` by way of <a href="/people/${recipient.parentId}">this person</a>`}. ${reach(recipient)}</div>
    <form method="post" action="/people/${recipient.id}" class="card stack" novalidate>${csrf(token)}${recipientFields(form, errors)}${writes && html`<div><button class="btn main wide">Save</button></div>`}</form>
    ${
      writes &&
      html`<details class="card"><summary>Erase this person</summary>
        <form method="post" action="/people/${recipient.id}/erase" class="stack">${csrf(token)}<p>Name, addresses, tags and words go for good, and no import brings them back. Counts of past messages stay.</p>
        <div><button class="btn danger">Erase ${recipientName(recipient)}</button></div></form></details>`
    }`;
  return show(c, { title: recipientName(recipient), section: 'recipients', narrow: true, errors, body });
}

/** Runs a change. If a field is refused, it answers with the page that `refuse` makes. */
async function attempt(change: () => Promise<Response>, refuse: (errors: FormError[]) => Promise<Response>): Promise<Response> {
  try {
    return await change();
  } catch (problem) {
    if (!(problem instanceof Problem) || (problem.status !== 422 && problem.status !== 409)) throw problem;
    return refuse(recipientErrors(problem));
  }
}

async function add(c: ConsoleContext): Promise<Response> {
  const form = await readForm(c);
  const create = async (): Promise<Response> => c.redirect(`/people/${(await createRecipient(c.var.ctx, recipientInput(form))).id}?saved=1`, 303);
  return attempt(create, (errors) => newPage(c, form, errors));
}

async function recipientPage(c: ConsoleContext): Promise<Response> {
  const recipient = await getRecipient(c.var.ctx, c.req.param('id') ?? '');
  const notice = c.req.query('saved') ? html`<p class="note good" role="status">Saved.</p>` : '';
  return editPage(c, recipient, formOf(recipient), [], notice);
}

async function save(c: ConsoleContext): Promise<Response> {
  const form = await readForm(c);
  const recipient = await getRecipient(c.var.ctx, c.req.param('id') ?? '');
  const change = async (): Promise<Response> => {
    await changeRecipient(c.var.ctx, recipient.id, recipientChange(form));
    return c.redirect(`/people/${recipient.id}?saved=1`, 303);
  };
  return attempt(change, (errors) => editPage(c, recipient, form, errors));
}

async function erase(c: ConsoleContext): Promise<Response> {
  await eraseRecipient(c.var.ctx, c.req.param('id') ?? '');
  const body = html`<h1>Erased</h1><p class="note good" role="status">This person is erased.</p><p><a class="btn" href="/people">To the people</a></p>`;
  return show(c, { title: 'Erased', section: 'recipients', narrow: true, body });
}

/** `/people`, `/people/new`, `/people/{id}`. */
export const recipientPages = (): Pages =>
  new Pages()
    .get('/people', 'read', listPage)
    .get('/people/new', 'write', (c) => newPage(c, Form.of({}), []))
    .post('/people/new', 'write', add)
    .get('/people/:id', 'read', recipientPage)
    .post('/people/:id', 'write', save)
    .post('/people/:id/erase', 'write', erase);
