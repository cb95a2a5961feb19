import { html } from 'hono/html';
import { Problem } from '#platform/errors.ts';
import { WORDING_PARTS, type WordingPart } from '#schemas/wording.ts';
import { settingsChangeSchema, type SettingsView } from '#schemas/settings.ts';
import { changeSettings } from '#services/organisations/change-settings.ts';
import type { Context } from '#services/context.ts';
import { getSettings } from '#services/organisations/get-settings.ts';
import { SAYS_LABELS, standingWord } from '#web/console/messages/compose-says.ts';
import { Form } from '#web/console/shell/form.ts';
import { csrf, type FormError, type Html, input, toFormErrors } from '#web/console/shell/parts.ts';

/** Ids of the fields on the page, by the name that the settings have for them. */
const FIELD_IDS: Record<string, string> = {
  name: 'org-name',
  defaultLocale: 'org-locale',
  defaultCountry: 'org-country',
  timeZone: 'org-zone',
  'quietHours.from': 'quiet-from',
  'quietHours.to': 'quiet-to',
  ...Object.fromEntries(WORDING_PARTS.map((part) => [`says.${part}`, `says-${part}`])),
};

const formOf = ({ name, defaultLocale, defaultCountry, timeZone, quietHours, says }: SettingsView): Form =>
  Form.of({
    'org-name': name,
    'org-locale': defaultLocale,
    'org-country': defaultCountry,
    'org-zone': timeZone ?? '',
    'quiet-from': quietHours?.from ?? '',
    'quiet-to': quietHours?.to ?? '',
    ...Object.fromEntries(WORDING_PARTS.map((part) => [`says-${part}`, standingWord(says, part)])),
  });

function hintOf({ name, says }: SettingsView, part: WordingPart): string {
  if (typeof says[part] === 'object') return 'Set per language through the API; kept while this is empty.';
  return part === 'issuer' ? `With a number to call, say. Empty: ${name}` : '';
}

const clockField = (id: string, label: string, form: Form, errors: readonly FormError[]): Html =>
  input({ id, label, value: form.get(id), class: 'w8', inputmode: 'numeric', errors });

/** Shows what holds for all messages. `typed` is the form that was sent and refused. */
export function organisationCard(settings: SettingsView, admin: boolean, typed: Form | undefined, errors: readonly FormError[], token: string): Html {
  const form = typed ?? formOf(settings);
  const { quietHours } = settings;
  const quiet = quietHours ? `${quietHours.from} to ${quietHours.to}` : 'none';
  const title = html`<h2 id="org-title">Organisation</h2>`;
  if (!admin)
    return html`<section class="card stack" aria-labelledby="org-title">${title}<ul class="list small"><li><b>Name:</b> ${settings.name}</li><li><b>Time zone:</b> ${settings.timeZone ?? 'UTC'}</li><li><b>Quiet hours for campaigns:</b> ${quiet}</li></ul></section>`;
  return html`<section class="card stack" aria-labelledby="org-title">${title}
    <form method="post" action="/settings/organisation" class="stack" novalidate>${csrf(token)}
      ${input({ id: 'org-name', label: 'Name', hint: 'Stands in every e-mail and on every page that people open.', value: form.get('org-name'), errors })}
      <div class="row end">${input({ id: 'org-locale', label: 'Language', value: form.get('org-locale'), class: 'w5', errors })} ${input({ id: 'org-country', label: 'Country of phone numbers', value: form.get('org-country'), class: 'w5', errors })}</div>
      ${input({ id: 'org-zone', label: 'Time zone', hint: 'Such as Europe/London. Times in e-mails and on pages are told in it to people who have none of their own. Empty: UTC.', value: form.get('org-zone'), errors })}
      <fieldset class="field"><legend>Quiet hours for campaigns</legend><p class="hint">No campaign reaches anybody between these times on the person's own clock; it goes on afterwards. Life safety and operations are never held. Both empty: no quiet hours.</p>
        <div class="row end">${clockField('quiet-from', 'From, such as 21:00', form, errors)} ${clockField('quiet-to', 'To, such as 08:00', form, errors)}</div></fieldset>
      <fieldset class="field"><legend>Words of life safety messages</legend><p class="hint">Every one must say who is meant, where, what to do and who issues it. What a message leaves out is said with these words; what neither has, the person who writes is asked for.</p>
        ${(['who', 'where', 'instruction', 'issuer'] as const).map((part) => input({ id: `says-${part}`, label: SAYS_LABELS[part], hint: hintOf(settings, part), value: form.get(`says-${part}`), errors }))}</fieldset>
      <div><button class="btn main">Save</button></div></form></section>`;
}

/** Saves the form. @returns what is wrong with it; nothing once it is saved */
export async function saveOrganisation(ctx: Context, form: Form): Promise<readonly FormError[]> {
  const [from, to] = [form.get('quiet-from'), form.get('quiet-to')];
  const before = await getSettings(ctx);
  const words = WORDING_PARTS.flatMap((part) => {
    const word = form.get(`says-${part}`) || (typeof before.says[part] === 'object' ? before.says[part] : '');
    return word === '' ? [] : [[part, word] as const];
  });
  const parsed = settingsChangeSchema.safeParse({
    name: form.get('org-name'),
    defaultLocale: form.get('org-locale'),
    defaultCountry: form.get('org-country').toUpperCase(),
    timeZone: form.get('org-zone') || null,
    says: Object.fromEntries(words),
    quietHours: from === '' && to === '' ? null : { from, to },
  });
  if (!parsed.success)
    return parsed.error.issues.map((issue) => ({ id: FIELD_IDS[issue.path.join('.')] ?? '', text: `${labelOf(issue.path.join('.'))} ${issue.message}` }));
  try {
    await changeSettings(ctx, parsed.data);
    return [];
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status !== 422) throw problem;
    return toFormErrors(problem.errors, problem.message, (name) => FIELD_IDS[name] ?? '');
  }
}

const LABELS: Record<string, string> = {
  name: 'Name:',
  defaultLocale: 'Language:',
  defaultCountry: 'Country:',
  timeZone: 'Time zone:',
  'quietHours.from': 'Quiet hours begin:',
  'quietHours.to': 'Quiet hours end:',
  ...Object.fromEntries(WORDING_PARTS.map((part) => [`says.${part}`, `${SAYS_LABELS[part]}:`])),
};
const labelOf = (path: string): string => LABELS[path] ?? '';
