import { html } from 'hono/html';
import type { Problem } from '#platform/errors.ts';
import { MESSAGE_CLASSES, type MessageClass } from '#schemas/delivery.ts';
import type { RecipientChange, RecipientInput, RecipientView } from '#schemas/recipient.ts';
import { Form, wordsOf } from '#web/console/shell/form.ts';
import { CLASS_NAMES } from '#web/console/shell/format.ts';
import { attribute, type FormError, type Html, input, toFormErrors } from '#web/console/shell/parts.ts';

const TEXTS = ['name', 'phone', 'email', 'externalId', 'locale', 'timeZone', 'lat', 'lon'] as const;
type TextField = (typeof TEXTS)[number];

/** A recipient's values as the form shows them. */
export const formOf = (recipient: RecipientView): Form =>
  Form.of({
    ...Object.fromEntries(TEXTS.map((name) => [name, String(recipient[name] ?? '')])),
    tags: recipient.tags.join(', '),
    skills: recipient.skills.join(', '),
    asked: recipient.consent === null ? 'no' : 'yes',
    consent: recipient.consent ?? [],
  });

export function recipientFields(form: Form, errors: readonly FormError[]): Html {
  const text = (id: string, label: string, hint = '', more: { type?: 'email' | 'tel'; class?: string } = {}): Html =>
    input({ id, label, hint, value: form.get(id), errors, ...more });
  const asked = form.get('asked') === 'yes';
  return html`${text('name', 'Name')} ${text('phone', 'Phone', 'With the country code, such as +44 7700 900123.', { type: 'tel' })} ${text('email', 'E-mail', '', { type: 'email' })}
    ${text('tags', 'Tags', 'Groups and places, separated by commas.')} ${text('skills', 'Skills', 'Separated by commas.')}
    <div class="pair">${text('locale', 'Language', 'Such as en or pt-BR.')} ${text('timeZone', 'Time zone', 'Such as Europe/London.')} ${text('lat', 'Latitude')} ${text('lon', 'Longitude')}</div>
    ${text('externalId', 'External id', 'The number of this person in your own list.')}
    <fieldset class="field"><legend>Agreement</legend>
      <label class="check"><input type="radio" name="asked" value="no"${attribute('checked', !asked)}> Was never asked: gets life safety and operations, no campaigns</label>
      <label class="check"><input type="radio" name="asked" value="yes"${attribute('checked', asked)}> Agreed to these:</label>
      <div class="row">${MESSAGE_CLASSES.map((key) => html`<label class="check"><input type="checkbox" name="consent" value="${key}"${attribute('checked', form.all('consent').includes(key))}> ${CLASS_NAMES[key]}</label>`)}</div>
    </fieldset>`;
}

const degrees = (text: string): number => Number(text.replace(',', '.'));

function valuesOf(form: Form): { texts: Map<TextField, string | number>; tags: string[]; skills: string[]; consent: MessageClass[] | null } {
  const texts = new Map<TextField, string | number>();
  for (const name of TEXTS) {
    const text = form.get(name);
    if (text !== '') texts.set(name, name === 'lat' || name === 'lon' ? degrees(text) : text);
  }
  const consent = form.get('asked') === 'yes' ? MESSAGE_CLASSES.filter((key) => form.all('consent').includes(key)) : null;
  return { texts, tags: wordsOf(form.get('tags')), skills: wordsOf(form.get('skills')), consent };
}

/** Makes a new recipient of the form. What is empty is left out. */
export function recipientInput(form: Form): RecipientInput {
  const { texts, tags, skills, consent } = valuesOf(form);
  return { ...Object.fromEntries(texts), tags, skills, ...(consent === null ? {} : { consent }) };
}

/** Makes a change of the form. What is empty is cleared, since the form shows everything. */
export function recipientChange(form: Form): RecipientChange {
  const { texts, tags, skills, consent } = valuesOf(form);
  return { ...Object.fromEntries(TEXTS.map((name) => [name, texts.get(name) ?? null])), tags, skills, consent };
}

/** Puts a refusal into words for people, where the verb speaks of ids. */
export function recipientErrors(problem: Problem): FormError[] {
  const errors = problem.errors.map((error) => (error.code === 'address_taken' ? { ...error, detail: 'somebody else already has this' } : error));
  return toFormErrors(errors, problem.message, (name) => name);
}
