import { html } from 'hono/html';
import { Problem } from '#platform/errors.ts';
import { messageInputSchema, saysSchema } from '#schemas/message.ts';
import type { MessageView } from '#schemas/views.ts';
import { correctMessage } from '#services/messages/correct-message.ts';
import { countMayHave } from '#services/messages/count-may-have.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { readSays, SAYS_LABELS, saysFieldId, saysInput } from './compose-says.ts';
import type { ConsoleContext } from '#web/console/shell/env.ts';
import { Form, readForm } from '#web/console/shell/form.ts';
import { languageName, people, textsOf } from '#web/console/shell/format.ts';
import { show } from '#web/console/shell/layout.ts';
import { messageTitle } from './message-view.ts';
import { Pages } from '#web/console/shell/pages.ts';
import { attribute, csrf, field, type FormError, type Html, input, toFormErrors } from '#web/console/shell/parts.ts';

type Kind = 'correction' | 'all_clear';
const kindOf = (text: string): Kind => (text === 'all_clear' ? 'all_clear' : 'correction');

const WORDS = {
  correction: {
    title: 'Send a correction',
    button: 'Send the correction',
    hint: 'It starts with CORRECTION everywhere. Say what was wrong and what is right.',
  },
  all_clear: {
    title: 'Send the all clear',
    button: 'Send the all clear',
    hint: 'It starts with ALL CLEAR everywhere. Say what is over and what people may do again.',
  },
} as const;

/** The locales of the first message. Field `text-<n>` holds the text of the n-th one. */
const localesOf = (message: MessageView): string[] => textsOf(message).map(([locale]) => locale);

/** Shows what people have read, beside what corrects it. */
const firstText = (message: MessageView): Html =>
  html`<details class="card stack" open><summary>The first message</summary>${textsOf(message).map(([locale, text], _, all) => html`<div class="stack tight">${all.length > 1 && html`<b>${languageName(locale)}</b>`}<div class="bubble" lang="${locale}" dir="auto">${text}</div></div>`)}</details>`;

/** The fields for place and people, filled as the first message had them. */
const followingFields = (message: MessageView, locale: string, row: number, form: Form, errors: readonly FormError[]): Html[] =>
  (['where', 'who'] as const).map((part) => {
    const id = `says-${part}-${row}`;
    const label = localesOf(message).length > 1 ? `${SAYS_LABELS[part]} (${languageName(locale)})` : SAYS_LABELS[part];
    return input({ id, label, value: form.has(id) ? form.get(id) : (message.says?.[locale]?.[part] ?? ''), errors });
  });

async function correctPage(c: ConsoleContext, message: MessageView, kind: Kind, form: Form, errors: readonly FormError[]): Promise<Response> {
  const count = await countMayHave(c.var.ctx, message.id);
  const words = WORDS[kind];
  const body = html`<p class="crumb"><a href="/messages/${message.id}">${messageTitle(message)}</a></p><h1>${words.title}</h1>
    <p>It goes to exactly those who may have had the message: <b>${people(count)}</b>, each on the channel it may have come by. ${message.state === 'live' && 'What is still queued of the first message is stopped. It is being sent right now, so until you press the button the number may rise.'}</p>
    ${firstText(message)}
    <form method="post" action="/messages/${message.id}/correct" class="card stack" novalidate>
      ${csrf(c.var.session.csrfToken)}<input type="hidden" name="kind" value="${kind}">
      ${localesOf(message).map((locale, i) =>
        field(
          { id: `text-${i}`, label: localesOf(message).length > 1 ? `Text in ${languageName(locale)}` : 'Text', hint: i === 0 ? words.hint : '', errors },
          (attributes) => html`<textarea ${attributes} lang="${locale}" dir="auto" maxlength="1600">${form.get(`text-${i}`)}</textarea>`,
        ),
      )}
      ${message.says && html`<p class="hint">These words of the first message stand below the text where it does not have them. Change what was wrong.</p>${localesOf(message).map((locale, i) => followingFields(message, locale, i, form, errors))}`}
      ${!message.drill && html`<label class="check" for="sure"><input type="checkbox" id="sure" name="sure" value="yes"${attribute('checked', form.has('sure'))}> <span>I have read the text. It goes out at once.</span></label>`}
      <div class="row"><button class="btn big wide ${message.drill ? 'drill' : 'danger'}"${count === 0 && html` disabled`}>${words.button} to ${people(count)}</button><a class="btn wide" href="/messages/${message.id}">Go back</a></div>
      ${count === 0 && html`<p class="note">Nobody has had this message, so nobody needs to be told.</p>`}
    </form>`;
  return show(c, {
    title: words.title,
    section: 'messages',
    narrow: true,
    errors,
    body,
    banner: message.drill && html`<div class="banner drill">◆ EXERCISE – nothing on this page is real</div>`,
  });
}

async function correct(c: ConsoleContext): Promise<Response> {
  const { ctx } = c.var;
  const form = await readForm(c);
  const message = await getMessage(ctx, c.req.param('id') ?? '');
  const kind = kindOf(form.get('kind'));
  const locales = localesOf(message);
  const text = Object.fromEntries(locales.map((locale, i) => [locale, form.get(`text-${i}`)] as const).filter(([, written]) => written !== ''));
  const texts = locales.map((locale, i) => ({ locale, text: text[locale] ?? '', says: readSays(form, i) }));
  const idOf = (name: string): string =>
    name.startsWith('says.') ? saysFieldId(texts, name.slice(5)) : `text-${Math.max(0, locales.indexOf(name.replace(/^text\./, '')))}`;
  const errors: FormError[] = [];
  // Every language of the first message needs its text, above all the one that is read by everybody whose own is missing.
  for (const [i, locale] of locales.entries())
    if (text[locale] === undefined) errors.push({ id: `text-${i}`, text: `Enter the text${locales.length > 1 ? ` in ${languageName(locale)}` : ''}` });
  if (!message.drill && form.get('sure') !== 'yes') errors.push({ id: 'sure', text: 'Tick that you have read the text' });
  const parsed = messageInputSchema.shape.text.safeParse(text);
  if (errors.length === 0 && !parsed.success)
    errors.push(...parsed.error.issues.map((issue) => ({ id: idOf(String(issue.path[0] ?? '')), text: issue.message })));
  const says = saysSchema.safeParse(saysInput(texts));
  if (!says.success) errors.push(...says.error.issues.map((issue) => ({ id: idOf(`says.${issue.path.join('.')}`), text: issue.message })));
  if (errors.length > 0 || !parsed.success || !says.success) return correctPage(c, message, kind, form, errors);
  try {
    const made = await correctMessage(ctx, message.id, { kind, text: parsed.data, says: says.data });
    return c.redirect(`/messages/${made.id}`, 303);
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status >= 500) throw problem;
    return correctPage(c, message, kind, form, toFormErrors(problem.errors, problem.message, idOf));
  }
}

async function newCorrection(c: ConsoleContext): Promise<Response> {
  const message = await getMessage(c.var.ctx, c.req.param('id') ?? '');
  if (message.times.launchedAt === null) return c.redirect(`/messages/${message.id}`, 303);
  return correctPage(c, message, kindOf(c.req.query('kind') ?? ''), Form.of({}), []);
}

/** `GET POST /messages/{id}/correct?kind=correction|all_clear`. */
export const correctPages = (): Pages => new Pages().get('/messages/:id/correct', 'write', newCorrection).post('/messages/:id/correct', 'write', correct);
