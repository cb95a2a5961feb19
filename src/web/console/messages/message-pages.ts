import { html } from 'hono/html';
import { wordingAsGiven } from '#domain/message/wording.ts';
import { Problem } from '#platform/errors.ts';
import type { MessageView } from '#schemas/views.ts';
import { approvalState } from '#services/messages/approval-state.ts';
import { approveMessage } from '#services/messages/approve-message.ts';
import { mayMissRows } from '#services/messages/ask-first.ts';
import { findOpenImport } from '#services/imports/open-import.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { launchMessage } from '#services/messages/launch-message.ts';
import { listMessages } from '#services/messages/list-messages.ts';
import { previewAudience } from '#services/messages/preview-audience.ts';
import { renderSample } from '#services/messages/render-sample.ts';
import { stopMessage } from '#services/messages/stop-message.ts';
import { answered, askView, type Asked } from './ask-view.ts';
import { boardData } from './board-data.ts';
import { liveRegion } from './board-view.ts';
import type { ConsoleContext } from '#web/console/shell/env.ts';
import { readForm } from '#web/console/shell/form.ts';
import { number, onTheWay, people, plural, textsOf } from '#web/console/shell/format.ts';
import { show } from '#web/console/shell/layout.ts';
import { messageList, pager } from './message-list.ts';
import { boardBody, draftBody, messageTitle } from './message-view.ts';
import { Pages } from '#web/console/shell/pages.ts';
import { csrf, type FormError, type Part } from '#web/console/shell/parts.ts';

const isWaiting = (message: MessageView): boolean => message.state === 'draft';
const maySend = (c: ConsoleContext, message: MessageView): boolean => c.var.ctx.actor.scopes.has(`send:${message.class}`);
const drillBanner = (message: MessageView): Part => message.drill && html`<div class="banner drill">◆ EXERCISE – nothing on this page is real</div>`;

interface DraftPage {
  readonly errors?: readonly FormError[];
  readonly notice?: Part;
  /** What the user has been asked and has answered. */
  readonly asked?: Asked;
}

async function draftPage(c: ConsoleContext, message: MessageView, { errors = [], notice = '', asked = {} }: DraftPage = {}): Promise<Response> {
  const { ctx } = c.var;
  const text = Object.fromEntries(textsOf(message));
  const preview = await previewAudience(ctx, {
    audience: message.audience.expression,
    class: message.class,
    drill: message.drill,
    channels: { plan: message.plan },
    text,
    says: wordingAsGiven(message.says),
    answers: message.answerOptions,
    share: message.share,
    startAt: message.times.startAt ?? undefined,
    expiresAt: message.times.expiresAt ?? undefined,
  }).catch((problem: unknown) => {
    if (problem instanceof Problem && problem.status < 500) return undefined;
    throw problem;
  });
  const samples = await renderSample(ctx, {
    ...message,
    text,
    says: wordingAsGiven(message.says),
    answers: message.answerOptions,
    expiresAt: message.times.expiresAt,
  });
  const approval = preview ? await approvalState(ctx, message.id, preview) : ({ state: 'none' } as const);
  const body = draftBody({
    message,
    preview,
    samples,
    csrfToken: c.var.session.csrfToken,
    canSend: maySend(c, message),
    approval,
    isAuthor: message.createdBy === ctx.actor.label,
    notice,
    asks: askView(asked, mayMissRows(message) ? await findOpenImport(ctx) : undefined),
    now: ctx.clock.now(),
  });
  return show(c, { title: messageTitle(message), section: 'messages', errors, body, banner: drillBanner(message) });
}

async function boardPage(c: ConsoleContext, message: MessageView, notice: Part = ''): Promise<Response> {
  const { ctx, session } = c.var;
  const live = liveRegion(await boardData(ctx, message), session.csrfToken, ctx.clock.now());
  return show(c, {
    title: messageTitle(message),
    section: 'messages',
    banner: drillBanner(message),
    scripts: ['uplot.js', 'board.js'],
    styles: ['uplot.css'],
    body: boardBody(message, live, ctx.actor.scopes.has('write'), notice),
  });
}

const NOT_SURE = { id: 'sure', text: 'Tick that you have read the text and that these are the right people' };
const ROWS_NOT_TAKEN = { id: 'rows', text: 'Rows of an import were not taken, so this message may miss people. Tick that you know it, or look at them first' };

/** Says why a launch was refused, beside the draft as it is now. */
async function refused(c: ConsoleContext, message: MessageView, problem: Problem, shown: number, asked: Asked): Promise<Response> {
  const page = (error: FormError, now = asked): Promise<Response> => draftPage(c, message, { errors: [error], asked: now });
  if (problem.code === 'rejected_rows') return page(ROWS_NOT_TAKEN);
  if (problem.code === 'repeated_text')
    return page(
      { id: 'again', text: 'The same text went, or goes, to some of these people within ten minutes. Nothing was sent' },
      { ...asked, repeated: { messageId: String(problem.extra['messageId']), at: String(problem.extra['at']) } },
    );
  if (problem.code !== 'audience_changed') return page({ id: '', text: problem.message });
  const now = Number(problem.extra['count']);
  return page({
    id: 'reach-title',
    text: `The audience changed while you were reading: it was ${people(shown)}, now it is ${people(now)}. Nothing was sent. Look again.`,
  });
}

async function launch(c: ConsoleContext): Promise<Response> {
  const { ctx } = c.var;
  const form = await readForm(c);
  const message = await getMessage(ctx, c.req.param('id') ?? '');
  const audienceHash = form.get('audienceHash');
  if (!isWaiting(message)) return c.redirect(`/messages/${message.id}`, 303);
  const { asked, acknowledge } = answered(form);
  // The form lacks the hash that the page showed, so nobody can have seen whom the message goes to.
  if (audienceHash === '') return draftPage(c, message, { errors: [{ id: 'reach-title', text: 'Look at whom it reaches, then send.' }], asked });
  if (!message.drill && form.get('sure') !== 'yes') {
    // Everything that is missing is said at once: whoever sends a life message has no time for one refusal after the other.
    const rows = !asked.rows && mayMissRows(message) && (await findOpenImport(ctx)) !== undefined;
    return draftPage(c, message, { errors: [...(rows ? [ROWS_NOT_TAKEN] : []), NOT_SURE], asked });
  }
  try {
    await launchMessage(ctx, message.id, { audienceHash, acknowledge });
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status >= 500) throw problem;
    return refused(c, await getMessage(ctx, message.id), problem, Number(form.get('count')) || 0, asked);
  }
  return c.redirect(`/messages/${message.id}`, 303);
}

async function approve(c: ConsoleContext): Promise<Response> {
  const { ctx } = c.var;
  const form = await readForm(c);
  const id = c.req.param('id') ?? '';
  const audienceHash = form.get('audienceHash');
  const { asked, acknowledge } = answered(form);
  try {
    const message = await approveMessage(ctx, id, { acknowledge, ...(audienceHash === '' ? {} : { audienceHash }) });
    return await draftPage(c, message, { notice: html`<p class="note good" role="status">Approved. It can be sent now.</p>` });
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status === 404 || problem.status >= 500) throw problem;
    const message = await getMessage(ctx, id);
    if (problem.code === 'rejected_rows') return draftPage(c, message, { errors: [ROWS_NOT_TAKEN], asked });
    return draftPage(c, message, { errors: [{ id: '', text: problem.message }], asked });
  }
}

async function stopPage(c: ConsoleContext): Promise<Response> {
  const message = await getMessage(c.var.ctx, c.req.param('id') ?? '');
  if (message.state !== 'live' && message.state !== 'scheduled') return c.redirect(`/messages/${message.id}`, 303);
  const waiting = message.deliveries.pending;
  const held =
    message.state === 'scheduled'
      ? html`It has not started. Nothing leaves, and nobody of the <b class="num">${number(message.audience.count ?? 0)}</b> is called.`
      : html`<b class="num">${plural(waiting, 'delivery', 'deliveries')}</b> still wait and would not be made. What a carrier has taken cannot be called back; you can send a correction afterwards.`;
  return show(c, {
    title: 'Stop this message',
    section: 'messages',
    narrow: true,
    body: html`<p class="crumb"><a href="/messages/${message.id}">${messageTitle(message)}</a></p><h1>Stop this message?</h1>
      <form method="post" class="card stack">${csrf(c.var.session.csrfToken)}
        <p>${held}</p>
        <div class="row"><button class="btn danger big wide">Stop now</button><a class="btn wide" href="/messages/${message.id}">Go back, let it run</a></div>
      </form>`,
  });
}

async function stop(c: ConsoleContext): Promise<Response> {
  const { message, inFlight, cancelled } = await stopMessage(c.var.ctx, c.req.param('id') ?? '');
  // The page that is shown afterwards may be reloaded without stopping anything again.
  return c.redirect(`/messages/${message.id}?stopped=${cancelled}.${inFlight}`, 303);
}

function stoppedNotice(query: string | undefined): Part {
  const [, cancelled, inFlight] = /^(\d{1,9})\.(\d{1,9})$/.exec(query ?? '') ?? [];
  if (cancelled === undefined || inFlight === undefined) return '';
  return html`<p class="note good" role="status"><b>Stopped.</b> ${plural(Number(cancelled), 'delivery', 'deliveries')} will not be made. ${onTheWay(Number(inFlight))}</p>`;
}

async function messagesPage(c: ConsoleContext): Promise<Response> {
  const page = await listMessages(c.var.ctx, { cursor: c.req.query('cursor'), limit: 25 });
  const body = html`<div class="head"><h1>Messages</h1>${c.var.ctx.actor.scopes.has('write') && html`<a class="btn main" href="/messages/new">New message</a>`}</div>
        <section class="card">${messageList(page.items)}</section>${pager('/messages', {}, page.next, c.req.query('cursor'))}`;
  return show(c, { title: 'Messages', section: 'messages', body });
}

async function messagePage(c: ConsoleContext): Promise<Response> {
  const message = await getMessage(c.var.ctx, c.req.param('id') ?? '');
  return isWaiting(message) ? draftPage(c, message) : boardPage(c, message, message.state === 'stopped' && stoppedNotice(c.req.query('stopped')));
}

/** A refused form is answered at the form's own address, which may then be opened again. */
const backToMessage = (c: ConsoleContext): Response => c.redirect(`/messages/${c.req.param('id')}`, 303);

/** `GET /messages`, `GET /messages/{id}` and what can be done with one message. Which class a person may send is asked by the verbs. */
export const messagePages = (): Pages =>
  new Pages()
    .get('/messages', 'read', messagesPage)
    .get('/messages/:id', 'read', messagePage)
    .get('/messages/:id/launch', 'read', backToMessage)
    .get('/messages/:id/approve', 'read', backToMessage)
    .post('/messages/:id/launch', 'write', launch)
    .post('/messages/:id/approve', 'write', approve)
    .get('/messages/:id/stop', 'read', stopPage)
    .post('/messages/:id/stop', 'write', stop);
