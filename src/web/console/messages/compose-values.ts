import { type Channel, CHANNELS, DEFAULT_CHANNELS } from '#schemas/channel-facts.ts';
import { MESSAGE_CLASSES, type MessageClass } from '#schemas/delivery.ts';
import type { MessageView } from '#schemas/views.ts';
import { type ComposeText, emptyText, NO_WORDS, readSays, saysFieldId, saysInput } from './compose-says.ts';
import { type AudienceFields, audienceFields, audienceOf, NO_AUDIENCE } from './compose-audience.ts';
import type { Form } from '#web/console/shell/form.ts';
import { textsOf } from '#web/console/shell/format.ts';
import type { FormError } from '#web/console/shell/parts.ts';

/** What stands in the fields of the composer, as it was typed. */
export interface ComposeValues extends AudienceFields {
  class: MessageClass;
  drill: boolean;
  title: string;
  texts: ComposeText[];
  channels: (Channel | '')[];
  answers: { key: string; label: string; counts: boolean }[];
  share: boolean;
  /** Hours from its start until the message ends; '' for as late as its class allows, 'keep' for the end that a draft has. */
  expires: string;
  /** `2026-11-22T07:00` on the clock of the person who writes; '' for at once. */
  start: string;
  /** Minutes to add to that clock to get UTC, as JavaScript's getTimezoneOffset() has them; '' without a script, when the clock is UTC. */
  startOffset: string;
  /** A second wave; '' for none. */
  thenChannel: Channel | '';
  thenTo: 'not_answered' | 'not_reached';
  /** Minutes after the start. */
  thenAfter: string;
}

export const emptyValues = (locale: string): ComposeValues => ({
  class: 'ops',
  drill: false,
  title: '',
  texts: [emptyText(locale)],
  ...NO_AUDIENCE,
  channels: CHANNELS.map((_, i) => DEFAULT_CHANNELS[i] ?? ''),
  answers: [
    { key: '1', label: '', counts: true },
    { key: '2', label: '', counts: false },
  ],
  share: false,
  expires: '12',
  start: '',
  startOffset: '',
  thenChannel: '',
  thenTo: 'not_answered',
  thenAfter: '10',
});

const SECOND_TO = ['not_answered', 'not_reached'] as const;

const oneOf = <T extends string>(all: readonly T[], text: string, otherwise: T): T => all.find((item) => item === text) ?? otherwise;

export function readValues(form: Form): ComposeValues {
  const rows = <T>(name: string, row: (i: number) => T): T[] => Array.from({ length: Math.min(form.rows(name), 40) }, (_, i) => row(i));
  return {
    class: oneOf(MESSAGE_CLASSES, form.get('class'), 'ops'),
    drill: form.get('drill') === 'yes',
    title: form.get('title'),
    texts: rows('text', (i) => ({ locale: form.get(`locale-${i}`), text: form.get(`text-${i}`), says: readSays(form, i) })),
    who: oneOf(['all', 'some', 'json'] as const, form.get('who'), 'all'),
    tags: form.get('tags'),
    skills: form.get('skills'),
    lat: form.get('lat'),
    lon: form.get('lon'),
    km: form.get('km'),
    json: form.get('json'),
    channels: rows('channel', (i) => oneOf<Channel | ''>(CHANNELS, form.get(`channel-${i}`), '')),
    answers: rows('label', (i) => ({ key: form.get(`key-${i}`), label: form.get(`label-${i}`), counts: form.has(`counts-${i}`) })),
    share: form.has('share'),
    expires: form.get('expires'),
    start: form.get('start'),
    startOffset: form.get('startOffset'),
    thenChannel: oneOf<Channel | ''>(CHANNELS, form.get('then-channel'), ''),
    thenTo: oneOf(SECOND_TO, form.get('then-to'), 'not_answered'),
    thenAfter: form.get('then-after'),
  };
}

/** Fills the composer from a draft that is to be changed, with its times. */
export function valuesOfDraft(message: MessageView): ComposeValues {
  const { startAt, expiresAt } = message.times;
  return {
    ...valuesOf(message),
    start: startAt === null ? '' : startAt.slice(0, 16),
    startOffset: '0',
    expires: expiresAt === null ? '' : 'keep',
  };
}

/** Fills the composer from an earlier message that is to be written anew, without its times. */
export function valuesOf(message: MessageView): ComposeValues {
  const first = message.plan[0]?.channels ?? [];
  const second = message.plan[1];
  return {
    ...emptyValues(message.fallbackLocale),
    class: message.class,
    drill: message.drill,
    title: message.title ?? '',
    texts: textsOf(message).map(([locale, text]) => ({ locale, text, says: { ...NO_WORDS, ...message.says?.[locale] } })),
    ...audienceFields(message.audience.expression),
    channels: CHANNELS.map((_, i) => first[i] ?? ''),
    answers: message.answerOptions.map((answer) => ({ key: answer.key, label: answer.label, counts: answer.counts ?? false })),
    share: message.share,
    thenChannel: second?.channels[0] ?? '',
    thenTo: second?.to === 'not_reached' ? 'not_reached' : 'not_answered',
    thenAfter: String(second ? Math.max(1, Math.round(second.afterSeconds / 60)) : 10),
  };
}

/** The answers that people may choose: the rows that have a label. A row without a key takes its number. */
export const answersOf = (values: ComposeValues): { key: string; label: string; counts: boolean }[] =>
  values.answers.filter((answer) => answer.label !== '').map((answer, i) => ({ ...answer, key: answer.key.toLowerCase() || String(i + 1) }));

function textOf(values: ComposeValues, errors: FormError[]): Record<string, string> {
  const text: Record<string, string> = {};
  for (const [i, row] of values.texts.entries()) {
    if (row.text === '' && i > 0) continue;
    if (row.text === '') errors.push({ id: 'text-0', text: 'Enter the text of the message' });
    else if (row.locale in text) errors.push({ id: `locale-${i}`, text: `There are two texts for ${row.locale}` });
    else text[row.locale] = row.text;
  }
  return text;
}

/** The channels as the verb takes them: as a list, or as a plan where there is a second wave. */
function channelsOf(values: ComposeValues, errors: FormError[]): unknown {
  const channels = [...new Set(values.channels.filter((channel) => channel !== ''))];
  if (channels.length === 0) errors.push({ id: 'channel-0', text: 'Choose at least one channel' });
  if (values.thenChannel === '') return channels;
  const minutes = Number(values.thenAfter);
  if (!(Number.isInteger(minutes) && minutes >= 1 && minutes <= 1440)) errors.push({ id: 'then-after', text: 'Enter 1 to 1440 minutes' });
  return {
    plan: [
      { channels, mode: values.class === 'life' ? 'parallel' : 'first', to: 'all' },
      { channels: [values.thenChannel], to: values.thenTo, afterSeconds: minutes * 60 },
    ],
  };
}

/** The instant of a start as typed, for a script that shows it on the writer's own clock; '' where there is none. */
export function startInstant({ start, startOffset }: ComposeValues): string {
  const at = Date.parse(`${start}Z`) + Number(startOffset) * 60_000;
  return start === '' || Number.isNaN(at) ? '' : new Date(at).toISOString();
}

/** The start in milliseconds; undefined for at once. What is wrong with it is added to `errors`. */
function startOf(values: ComposeValues, now: number, errors: FormError[]): number | undefined {
  if (values.start === '') return undefined;
  const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/.test(values.start) ? Date.parse(`${values.start}Z`) + Number(values.startOffset) * 60_000 : Number.NaN;
  if (Number.isNaN(at)) errors.push({ id: 'start', text: 'Enter a day and a time' });
  else if (at <= now) errors.push({ id: 'start', text: 'This time has passed; leave it empty to send at once' });
  else return at;
  return undefined;
}

export interface ComposeInput {
  readonly input: Record<string, unknown>;
  readonly errors: FormError[];
}

/**
 * Turns the fields into a message for the verb, which is still unchecked. `errors` holds what could not be turned into one.
 * @param now milliseconds: the end is counted from here
 */
export function toInput(values: ComposeValues, now: number): ComposeInput {
  const errors: FormError[] = [];
  const text = textOf(values, errors);
  const audience = audienceOf(values, errors);
  const channels = channelsOf(values, errors);
  const startAt = startOf(values, now, errors);
  const hours = Number(values.expires);
  if (values.class === 'life' && values.expires === '') errors.push({ id: 'expires', text: 'A life safety message must end: choose when' });
  return {
    errors,
    input: {
      class: values.class,
      drill: values.drill,
      ...(values.title === '' ? {} : { title: values.title }),
      text,
      ...(values.class === 'life' ? { says: saysInput(values.texts) } : {}),
      audience,
      channels,
      answers: answersOf(values),
      share: values.share,
      ...(values.expires === '' || !(hours > 0) ? {} : { expiresAt: new Date((startAt ?? now) + hours * 3_600_000).toISOString() }),
      ...(startAt === undefined ? {} : { startAt: new Date(startAt).toISOString() }),
    },
  };
}

/**
 * Turns what differs between two fillings of the form into a change of the draft. A part that was not touched is left out,
 * so that what the form cannot show, such as a plan of many waves, stays as it is.
 */
export function changeBetween(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const names = ['class', 'title', 'text', 'says', 'audience', 'channels', 'answers', 'share', 'startAt', 'expiresAt'];
  const differs = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  return Object.fromEntries(differs.map((name) => [name, after[name] ?? null]));
}

/** Finds the field of the page that stands for a field that the verb refused. */
export function composeFieldId(values: ComposeValues, name: string): string {
  const [head = '', ...rest] = name.split('.');
  switch (head) {
    case 'text': {
      const row = values.texts.findIndex((text) => text.locale === rest.join('.'));
      return `text-${Math.max(0, row)}`;
    }
    case 'says':
      return saysFieldId(values.texts, rest[0] ?? '');
    case 'answers': {
      const shown = values.answers.flatMap((answer, i) => (answer.label === '' ? [] : [i]));
      return `${rest[1] === 'key' ? 'key' : 'label'}-${shown[Number(rest[0])] ?? 0}`;
    }
    case 'audience':
      if (values.who === 'json') return 'json';
      if (values.who === 'all') return 'who-all';
      return rest.includes('skills') ? 'skills' : rest.includes('near') ? (['lat', 'lon', 'km'].find((id) => rest.includes(id)) ?? 'km') : 'tags';
    case 'channels':
      return rest[1] === '1' ? (rest.includes('afterSeconds') ? 'then-after' : 'then-channel') : 'channel-0';
    case 'startAt':
      return 'start';
    case 'expiresAt':
      return 'expires';
    case 'class':
      return 'class-ops';
    case 'drill':
      return 'drill-no';
    case 'title':
    case 'share':
      return head;
    default:
      return '';
  }
}
