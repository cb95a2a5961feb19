import { html } from 'hono/html';
import { CHANNELS, MESSAGE_CLASSES } from '#schemas/delivery.ts';
import type { WordingInput } from '#schemas/wording.ts';
import { saysFields } from './compose-says.ts';
import { type ComposeValues, startInstant } from './compose-values.ts';
import { CHANNEL_NAMES, CLASS_NAMES, CLASS_PROMISES, languageName, timeText } from '#web/console/shell/format.ts';
import { attribute, csrf, errorOf, field, type FormError, type Html, input, option, type Part } from '#web/console/shell/parts.ts';

export interface ComposeView {
  values: ComposeValues;
  errors: readonly FormError[];
  words: { tags: string[]; skills: string[]; locales: string[] };
  /** The organisation's words for life messages, which stand for what is left empty. */
  standing: WordingInput;
  csrfToken: string;
  preview: Part;
  /** The draft that is changed; missing for a new message. */
  draft?: { readonly id: string; readonly title: string; readonly expiresAt: string | null; readonly tag: string };
}

/** A drill never becomes real, and a real message never a drill. So the page of a draft does not ask which it is, but says it. */
const fixedKind = (drill: boolean): Html =>
  html`<input type="hidden" name="drill" value="${drill ? 'yes' : 'no'}"><p class="hint">${drill ? 'This is an exercise and stays one.' : 'This is real. To make an exercise of it, copy it to a new message.'}</p>`;

const kindFields = (drill: boolean): Html =>
  html`<p id="real-title"><b>Is it real?</b></p>
    <div class="pair" role="radiogroup" aria-labelledby="real-title">
      <label class="choice" for="drill-no"><input type="radio" id="drill-no" name="drill" value="no"${attribute('checked', !drill)}>
        <b>Real</b><span class="hint">Goes to people's phones as it is.</span></label>
      <label class="choice is-drill" for="drill-yes"><input type="radio" id="drill-yes" name="drill" value="yes"${attribute('checked', drill)}>
        <b>Exercise</b><span class="hint">Starts with EXERCISE everywhere. Can never become real.</span></label>
    </div>`;

function classFields({ values, draft }: ComposeView): Html {
  return html`<fieldset class="card stack">
    <legend>What kind of message?</legend>
    ${MESSAGE_CLASSES.map(
      (
        key,
      ) => html`<label class="choice" for="class-${key}"><input type="radio" id="class-${key}" name="class" value="${key}"${attribute('checked', values.class === key)}>
        <b>${CLASS_NAMES[key]}</b><span class="hint">${CLASS_PROMISES[key]}</span></label>`,
    )}
    ${draft ? fixedKind(values.drill) : kindFields(values.drill)}
  </fieldset>`;
}

function textFields({ values, errors, words, standing }: ComposeView): Html {
  return html`<fieldset class="card stack">
    <legend>What does it say?</legend>
    ${input({ id: 'title', label: 'Title', hint: 'Heads the notification and the e-mail. An SMS has no title.', value: values.title, errors })}
    <datalist id="locales">${[...new Set([...words.locales, 'en', 'de', 'fr', 'es'])].map((tag) => html`<option value="${tag}">${languageName(tag)}</option>`)}</datalist>
    ${values.texts.map((row, i) => {
      const localeError = errorOf(errors, `locale-${i}`);
      return html`<div class="stack tight">
        <div class="row"><label for="locale-${i}">Language</label>
          <input type="text" class="w5" id="locale-${i}" name="locale-${i}" value="${row.locale}" list="locales" autocomplete="off" spellcheck="false"${localeError ? html` aria-invalid="true"` : ''}>
          <span class="soft small">${i === 0 ? 'also for everybody whose language is not here' : ''}</span></div>
        ${localeError && html`<div class="error">${localeError}</div>`}
        ${field(
          {
            id: `text-${i}`,
            label: i === 0 ? 'Text' : `Text in ${languageName(row.locale) || 'this language'}`,
            hint: i === 0 ? '{{first_name}} and {{link}} are filled in for each person.' : '',
            errors,
          },
          (attributes) => html`<textarea ${attributes} lang="${row.locale}" dir="auto" maxlength="1600">${row.text}</textarea>`,
        )}
        ${saysFields(row, i, standing, errors)}
      </div>`;
    })}
    <div><button class="btn small" name="do" value="add-locale" formnovalidate>Add another language</button></div>
  </fieldset>`;
}

function audienceFields({ values, errors, words }: ComposeView): Html {
  const used = (list: string[]): string => (list.length > 0 ? `In use: ${list.slice(0, 12).join(', ')}.` : 'None in use yet.');
  return html`<fieldset class="card stack">
    <legend>Who is it for?</legend>
    <label class="choice" for="who-all"><input type="radio" id="who-all" name="who" value="all"${attribute('checked', values.who === 'all')}><b>Everybody</b></label>
    <label class="choice" for="who-some"><input type="radio" id="who-some" name="who" value="some"${attribute('checked', values.who === 'some')}>
      <b>Some people</b><span class="hint">Those who match every line that you fill in.</span></label>
    <div class="stack only-some">
      ${input({ id: 'tags', label: 'With any of these tags', hint: used(words.tags), value: values.tags, errors })}
      ${input({ id: 'skills', label: 'With any of these skills', hint: used(words.skills), value: values.skills, errors })}
      <div class="stack tight"><b>Near a place</b><div class="row end">
        ${input({ id: 'lat', label: 'Latitude', value: values.lat, class: 'w8', inputmode: 'decimal', errors })}
        ${input({ id: 'lon', label: 'Longitude', value: values.lon, class: 'w8', inputmode: 'decimal', errors })}
        ${input({ id: 'km', label: 'Within km', value: values.km, class: 'w5', inputmode: 'decimal', errors })}
      </div></div>
    </div>
    <label class="choice" for="who-json"><input type="radio" id="who-json" name="who" value="json"${attribute('checked', values.who === 'json')}>
      <b>Advanced</b><span class="hint">An expression with and, or, not, within (GeoJSON polygon), ids.</span></label>
    <div class="only-json">${field(
      { id: 'json', label: 'Audience expression (JSON)', errors },
      (attributes) =>
        html`<textarea ${attributes} class="mono" spellcheck="false" placeholder='{"and": [{"tags": ["zone-a"]}, {"not": {"skills": ["diver"]}}]}'>${values.json}</textarea>`,
    )}</div>
  </fieldset>`;
}

function channelFields({ values, errors }: ComposeView): Html {
  const error = errorOf(errors, 'channel-0');
  return html`<fieldset class="card stack">
    <legend>How does it reach them?</legend>
    <p class="hint" id="channel-hint">Life safety uses all of these at once. The others use the first one that reaches the person.</p>
    ${error && html`<div class="error" id="channel-error">${error}</div>`}
    <div class="row">${CHANNELS.map(
      (_, i) => html`<div class="field"><label for="channel-${i}">${i === 0 ? 'First' : 'Then'}</label>
        <select class="auto" id="channel-${i}" name="channel-${i}"${error ? html` aria-invalid="true" aria-describedby="channel-error"` : ''}>
          ${CHANNELS.map((channel) => option(channel, CHANNEL_NAMES[channel], values.channels[i] ?? ''))}${option('', 'nothing', values.channels[i] ?? '')}
        </select></div>`,
    )}</div>
    <div class="row end"><div class="field"><label for="then-channel">And then by</label>
        <select class="auto" id="then-channel" name="then-channel">${option('', 'nothing more', values.thenChannel)}${CHANNELS.map((channel) => option(channel, CHANNEL_NAMES[channel], values.thenChannel))}</select></div>
      <div class="field only-then"><label for="then-to">to those</label>
        <select class="auto" id="then-to" name="then-to">${option('not_answered', 'who have not answered', values.thenTo)}${option('not_reached', 'who were not reached', values.thenTo)}</select></div>
      <div class="only-then">${input({ id: 'then-after', label: 'after minutes', value: values.thenAfter, class: 'w5', inputmode: 'numeric', errors })}</div></div>
  </fieldset>`;
}

function timeFields({ values, errors, draft }: ComposeView): Html {
  return html`<fieldset class="card stack">
    <legend>When?</legend>
    <input type="hidden" id="start-offset" name="startOffset" value="${values.startOffset}">
    ${field(
      { id: 'start', label: 'It starts', hint: html`Empty: as soon as you send it. <span id="start-zone">The time is in UTC.</span>`, errors },
      (attributes) =>
        html`<input ${attributes} type="datetime-local" class="auto" value="${values.start}" data-at="${startInstant(values)}" autocomplete="off">`,
    )}
    ${field(
      {
        id: 'expires',
        label: 'It ends',
        hint: 'Nothing is sent after that, and late answers are marked as late. Life safety and operations last 24 hours at most, campaigns 72.',
        errors,
      },
      (attributes) => html`<select ${attributes} class="auto">
        ${draft?.expiresAt && option('keep', `as it is: ${timeText(draft.expiresAt)}`, values.expires)}${[1, 2, 4, 8, 12, 24, 48, 72].map((hours) => option(String(hours), hours === 1 ? 'in 1 hour' : `in ${hours} hours`, values.expires))}${option('', 'as late as allowed', values.expires)}
      </select>`,
    )}
  </fieldset>`;
}

function answerFields({ values, errors }: ComposeView): Html {
  return html`<fieldset class="card stack">
    <legend>What can people answer?</legend>
    <p class="hint">Each answer is a button on the page and in the notification. By SMS people reply with the number or word.</p>
    ${values.answers.map((answer, i) => {
      const error = errorOf(errors, `key-${i}`) ?? errorOf(errors, `label-${i}`);
      return html`<div class="answer">
        ${error && html`<div class="error row" id="answer-${i}-error">${error}</div>`}
        <div class="field"><label for="key-${i}">Reply</label><input type="text" id="key-${i}" name="key-${i}" value="${answer.key}" autocomplete="off" maxlength="20"${error ? html` aria-invalid="true" aria-describedby="answer-${i}-error"` : ''}></div>
        <div class="field"><label for="label-${i}">Answer ${i + 1}</label><input type="text" id="label-${i}" name="label-${i}" value="${answer.label}" autocomplete="off" maxlength="60" placeholder="${['I am coming', 'I cannot come'][i] ?? ''}"></div>
        <div class="row"><label class="check"><input type="checkbox" name="counts-${i}"${attribute('checked', answer.counts)}>counts as a yes</label>
          <button class="btn plain small" name="do" value="remove-answer-${i}" formnovalidate>Remove<span class="hide"> answer ${i + 1}</span></button></div>
      </div>`;
    })}
    <div><button class="btn small" name="do" value="add-answer" formnovalidate>Add an answer</button></div>
    <label class="check" for="share"><input type="checkbox" id="share" name="share"${attribute('checked', values.share)}>
      <span>People may pass it on<br><span class="hint">Each person gets a link to share. Whoever joins through it is added and gets the message.</span></span></label>
  </fieldset>`;
}

/** The composer. Buttons that change its shape come back to this page. */
export function composeBody(view: ComposeView): Html {
  const { draft } = view;
  return html`${draft && html`<p class="crumb"><a href="/messages/${draft.id}">${draft.title}</a></p>`}<h1>${draft ? 'Change this draft' : 'New message'}</h1>
    <div class="split">
      <form id="compose" method="post" action="${draft ? `/messages/${draft.id}/edit` : '/messages/new'}" class="stack" novalidate data-repeat
        hx-post="/messages/preview" hx-trigger="input delay:450ms, change delay:100ms" hx-target="#preview" hx-swap="innerHTML" hx-sync="this:replace">
        ${csrf(view.csrfToken)}${draft && html`<input type="hidden" name="tag" value="${draft.tag}">`}
        <button class="hide" name="do" value="check" tabindex="-1" aria-hidden="true">Update</button>
        ${classFields(view)} ${textFields(view)} ${audienceFields(view)} ${channelFields(view)} ${answerFields(view)} ${timeFields(view)}
      </form>
      <section class="card stack sticky" aria-labelledby="preview-title">
        <h2 id="preview-title">Before you send</h2>
        <div id="preview" class="stack preview">${view.preview}</div>
        <button class="btn wide" form="compose" name="do" value="check" formnovalidate>Update this preview</button>
      </section>
      <div class="stack tight below">
        <div><button class="btn main big wide" form="compose" name="do" value="save">Save and review</button></div>
        <p class="soft small">Nothing is sent yet. The next page shows it once more and asks.${draft && ' If it was approved, it must be approved again.'}</p>
      </div>
    </div>`;
}
