import { Problem } from '#platform/errors.ts';
import { messageChangeSchema, messageInputSchema, previewInputSchema } from '#schemas/message.ts';
import type { MessageView } from '#schemas/views.ts';
import { audienceWords } from '#services/messages/audience-words.ts';
import { changeMessage } from '#services/messages/change-message.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { draftTag } from '#services/messages/draft-tag.ts';
import { getSettings } from '#services/organisations/get-settings.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { previewAudience } from '#services/messages/preview-audience.ts';
import { listMissed, MOST_MISSED } from '#services/delivery/list-missed.ts';
import { renderSample } from '#services/messages/render-sample.ts';
import { changeBetween, type ComposeValues, composeFieldId, emptyValues, readValues, toInput, valuesOf, valuesOfDraft } from './compose-values.ts';
import { emptyText } from './compose-says.ts';
import { audienceFields } from './compose-audience.ts';
import { composeBody } from './compose-view.ts';
import type { ConsoleContext } from '#web/console/shell/env.ts';
import { readForm } from '#web/console/shell/form.ts';
import { number } from '#web/console/shell/format.ts';
import { show } from '#web/console/shell/layout.ts';
import { messageTitle } from './message-view.ts';
import { Pages } from '#web/console/shell/pages.ts';
import { type FormError, toFormErrors } from '#web/console/shell/parts.ts';
import { previewFragment, type PreviewState } from './preview-view.ts';

async function composePage(
  c: ConsoleContext,
  values: ComposeValues,
  errors: readonly FormError[],
  preview: PreviewState,
  message?: MessageView,
  tag?: string,
): Promise<Response> {
  const [words, settings] = await Promise.all([audienceWords(c.var.ctx), getSettings(c.var.ctx)]);
  const body = composeBody({
    values,
    errors,
    words,
    standing: { issuer: settings.name, ...settings.says },
    csrfToken: c.var.session.csrfToken,
    preview: previewFragment(preview),
    ...(message ? { draft: { id: message.id, title: messageTitle(message), expiresAt: message.times.expiresAt, tag: tag ?? draftTag(message) } } : {}),
  });
  return show(c, { title: message ? 'Change this draft' : 'New message', section: 'messages', errors, body });
}

/** Tells what the message would do now. Whatever stands in the way is said in place of the numbers, and never as an error page. */
async function previewOf(c: ConsoleContext, values: ComposeValues): Promise<PreviewState> {
  const { ctx } = c.var;
  const { input, errors } = toInput(values, ctx.clock.now());
  const text = messageInputSchema.shape.text.safeParse(input['text']);
  const says = messageInputSchema.shape.says.safeParse(input['says']);
  const withText = text.success;
  const parsed = previewInputSchema.safeParse({
    audience: input['audience'],
    class: input['class'],
    drill: input['drill'],
    channels: input['channels'],
    answers: messageInputSchema.shape.answers.safeParse(input['answers']).data ?? [],
    share: input['share'],
    ...(says.success ? { says: says.data } : {}),
    ...(withText ? { text: text.data } : {}),
    startAt: input['startAt'],
    expiresAt: input['expiresAt'],
  });
  if (!parsed.success) return { blocked: errors.filter((error) => !error.id.startsWith('text-')).map((error) => error.text), withText };
  try {
    const view = await previewAudience(ctx, parsed.data);
    const expiresAt = typeof input['expiresAt'] === 'string' ? input['expiresAt'] : null;
    const samples = withText ? await renderSample(ctx, { ...parsed.data, text: text.data, title: values.title || null, expiresAt }) : [];
    return { view, samples, withText, waves: Array.isArray(parsed.data.channels) ? 1 : parsed.data.channels.plan.length };
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status >= 500) throw problem;
    return { blocked: problem.errors.length > 0 ? problem.errors.map((error) => error.detail) : [problem.message], withText };
  }
}

/** Adds or removes a row of the form; undefined when the button was another one. */
function reshape(values: ComposeValues, action: string): ComposeValues | undefined {
  if (action === 'add-locale') return { ...values, texts: [...values.texts, emptyText('')] };
  if (action === 'add-answer')
    return { ...values, answers: [...values.answers, { key: String(values.answers.length + 1), label: '', counts: false }].slice(0, 9) };
  const removed = /^remove-answer-(\d+)$/.exec(action)?.[1];
  return removed === undefined ? undefined : { ...values, answers: values.answers.filter((_, i) => i !== Number(removed)) };
}

/** Saves a new message, or the changes of a draft. `tag` is the tag of the draft as it was when the form was opened. */
async function save(c: ConsoleContext, values: ComposeValues, draft?: MessageView, tag?: string): Promise<Response> {
  const { ctx } = c.var;
  const { input, errors } = toInput(values, ctx.clock.now());
  const parsed = messageInputSchema.safeParse(input);
  const refuse = async (refused: readonly FormError[]): Promise<Response> => composePage(c, values, refused, await previewOf(c, values), draft, tag);
  if (errors.length > 0 || !parsed.success) {
    const known = new Set(errors.map((error) => error.id));
    const found = parsed.success ? [] : parsed.error.issues.map((issue) => ({ id: composeFieldId(values, issue.path.join('.')), text: issue.message }));
    return refuse([...errors, ...found.filter((error) => !known.has(error.id) && !(error.id === '' && errors.length > 0))]);
  }
  try {
    const before = draft && toInput(valuesOfDraft(draft), ctx.clock.now()).input;
    const message = draft
      ? await changeMessage(ctx, draft.id, messageChangeSchema.parse(changeBetween(before ?? {}, input)), tag)
      : await createMessage(ctx, parsed.data);
    return c.redirect(`/messages/${message.id}`, 303);
  } catch (problem) {
    if (problem instanceof Problem && problem.code === 'draft_changed') return overtaken(c, values, draft);
    if (!(problem instanceof Problem) || problem.status !== 422) throw problem;
    return refuse(toFormErrors(problem.errors, problem.message, (name) => composeFieldId(values, name)));
  }
}

/** Shows that somebody else saved first, with both texts. Whoever saves once more knows then what it replaces. */
async function overtaken(c: ConsoleContext, values: ComposeValues, draft?: MessageView): Promise<Response> {
  const now = draft && (await getMessage(c.var.ctx, draft.id));
  const words = Object.values(now?.text ?? {}).join(' / ');
  const text = `Somebody else changed this draft while you were writing. It now says: “${words}”. Nothing of yours was saved: saving again puts what you see here in its place`;
  return composePage(c, values, [{ id: '', text }], await previewOf(c, values), now);
}

/** The draft that is to be changed; undefined for a message that was launched meanwhile. */
async function draftOf(c: ConsoleContext): Promise<MessageView | undefined> {
  const message = await getMessage(c.var.ctx, c.req.param('id') ?? '');
  return message.state === 'draft' ? message : undefined;
}

async function editPage(c: ConsoleContext): Promise<Response> {
  const draft = await draftOf(c);
  if (!draft) return c.redirect(`/messages/${c.req.param('id')}`, 303);
  const values = valuesOfDraft(draft);
  return composePage(c, values, [], await previewOf(c, values), draft);
}

async function edit(c: ConsoleContext): Promise<Response> {
  const draft = await draftOf(c);
  if (!draft) return c.redirect(`/messages/${c.req.param('id')}`, 303);
  const form = await readForm(c);
  const values = { ...readValues(form), drill: draft.drill };
  const action = form.get('do');
  const reshaped = reshape(values, action);
  const tag = form.get('tag') || undefined;
  if (reshaped || action === 'check') return composePage(c, reshaped ?? values, [], await previewOf(c, reshaped ?? values), draft, tag);
  return save(c, values, draft, tag);
}

/** Opens a copy of a message for those whom it did not reach. */
async function missedPage(c: ConsoleContext, from: string): Promise<Response> {
  const message = await getMessage(c.var.ctx, from);
  const { ids, more } = await listMissed(c.var.ctx, message.id);
  // If nobody was missed there is no copy: it would be for everybody.
  if (ids.length === 0) return c.redirect(`/messages/${message.id}`, 303);
  const values = { ...valuesOf(message), ...audienceFields({ ids: [...ids] }) };
  const errors = more
    ? [
        {
          id: 'json',
          text: `More than ${number(MOST_MISSED)} people were not reached. These are the first ${number(MOST_MISSED)}: one message cannot list more`,
        },
      ]
    : [];
  return composePage(c, values, errors, await previewOf(c, values));
}

async function newPage(c: ConsoleContext): Promise<Response> {
  const from = c.req.query('from');
  if (from && c.req.query('to') === 'missed') return missedPage(c, from);
  const words = await audienceWords(c.var.ctx);
  const values = from ? valuesOf(await getMessage(c.var.ctx, from)) : emptyValues(words.defaultLocale);
  return composePage(c, values, [], from ? await previewOf(c, values) : { withText: false });
}

async function add(c: ConsoleContext): Promise<Response> {
  const form = await readForm(c);
  const values = readValues(form);
  const action = form.get('do');
  const reshaped = reshape(values, action);
  if (reshaped) return composePage(c, reshaped, [], await previewOf(c, reshaped));
  if (action === 'check') return composePage(c, values, [], await previewOf(c, values));
  return save(c, values);
}

const preview = async (c: ConsoleContext): Promise<Response> => c.html(await previewFragment(await previewOf(c, readValues(await readForm(c)))));

/** `GET POST /messages/new`, `GET POST /messages/{id}/edit`, `POST /messages/preview`. */
export const composePages = (): Pages =>
  new Pages()
    .get('/messages/new', 'write', newPage)
    .post('/messages/new', 'write', add)
    .get('/messages/:id/edit', 'write', editPage)
    .post('/messages/:id/edit', 'write', edit)
    .post('/messages/preview', 'read', preview);
