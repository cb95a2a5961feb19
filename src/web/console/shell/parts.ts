import { html, raw } from 'hono/html';
import type { Channel, DeliveryState, MessageState } from '#schemas/delivery.ts';
import { doubtWords } from '#domain/delivery/doubt-text.ts';
import type { DeliveryView } from '#schemas/views.ts';
import type { FieldError } from '#platform/errors.ts';
import { DELIVERY_STATE_NAMES, MESSAGE_STATE_NAMES, timeText } from './format.ts';

export type Html = ReturnType<typeof html>;
/** What may stand in a template. */
export type Part = Html | string | false | null | undefined | readonly Part[];

/** An attribute without a value, if `on`. */
export const attribute = (name: 'checked' | 'selected' | 'required' | 'hidden', on: boolean): Html => raw(on ? ` ${name}` : '');

/** One wrong field of a form. `id` names the element that the error leads to. */
export interface FormError {
  readonly id: string;
  readonly text: string;
}

/** The box at the top of a page whose form was refused. It says what is wrong, and each line leads to its field. */
export function errorSummary(errors: readonly FormError[]): Part {
  if (errors.length === 0) return '';
  return html`<div class="summary" role="alert" tabindex="-1" id="errors">
    <h2>There is a problem</h2>
    <ul>${errors.map((error) => html`<li>${error.id === '' ? error.text : html`<a href="#${error.id}">${error.text}</a>`}</li>`)}</ul>
  </div>`;
}

/** The first error of a field. */
export const errorOf = (errors: readonly FormError[], id: string): string | undefined => errors.find((error) => error.id === id)?.text;

/** Errors of a Problem with the ids that a page gives its fields; a field that the page does not have has no link. */
export const toFormErrors = (errors: readonly FieldError[], detail: string, idOf: (field: string) => string): FormError[] =>
  errors.length === 0 ? [{ id: '', text: detail }] : errors.map((error) => ({ id: idOf(error.field), text: sentence(error.detail) }));

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

interface FieldOptions {
  id: string;
  label: string;
  hint?: Part;
  errors: readonly FormError[];
}

/** Label, hint, error and control, tied together for screen readers. `control` gets the attributes to put on the input. */
export function field({ id, label, hint, errors }: FieldOptions, control: (attributes: Html) => Part): Html {
  const error = errorOf(errors, id);
  const about = [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ');
  const attributes = html`id="${id}" name="${id}"${about ? html` aria-describedby="${about}"` : ''}${error ? raw(' aria-invalid="true"') : ''}`;
  return html`<div class="field">
    <label for="${id}">${label}</label>
    ${hint ? html`<div class="hint" id="${id}-hint">${hint}</div>` : ''}
    ${error ? html`<div class="error" id="${id}-error"><span class="hide">Error: </span>${error}</div>` : ''}
    ${control(attributes)}
  </div>`;
}

export interface InputOptions extends FieldOptions {
  value: string;
  type?: 'text' | 'email' | 'password' | 'search' | 'tel' | 'number';
  class?: string;
  autocomplete?: string;
  inputmode?: string;
}

export const input = (options: InputOptions): Html =>
  field(
    options,
    (attributes) =>
      html`<input ${attributes} type="${options.type ?? 'text'}" value="${options.value}" class="${options.class ?? ''}" autocomplete="${options.autocomplete ?? 'off'}"${options.inputmode ? html` inputmode="${options.inputmode}"` : ''}>`,
  );

export const option = (value: string, label: string, chosen: string): Html =>
  html`<option value="${value}"${attribute('selected', value === chosen)}>${label}</option>`;

const STATE_TAGS: Record<MessageState, [tone: string, mark: string]> = {
  draft: ['', '✎'],
  scheduled: ['info', '◷'],
  live: ['live', '●'],
  completed: ['good', '✓'],
  stopped: ['bad', '■'],
  expired: ['warn', '⌛'],
};

export function stateTag(state: MessageState): Html {
  const [tone, mark] = STATE_TAGS[state];
  return html`<span class="tag ${tone}"><span class="dot" aria-hidden="true">${mark}</span>${MESSAGE_STATE_NAMES[state]}</span>`;
}

export const drillTag = (drill: boolean): Part => drill && html`<span class="tag drill"><span aria-hidden="true">◆</span>Exercise</span>`;

const DELIVERY_TONES: Record<DeliveryState, string> = {
  pending: '',
  attempting: 'info',
  accepted: 'good',
  unknown: 'warn',
  delivered: 'good',
  failed: 'bad',
  expired: 'warn',
  cancelled: '',
  unresolved: 'warn',
};
export const deliveryTag = (state: DeliveryState): Html => html`<span class="tag ${DELIVERY_TONES[state]}">${DELIVERY_STATE_NAMES[state]}</span>`;

export const time = (iso: string | null): Part => iso !== null && html`<time datetime="${iso}">${timeText(iso)}</time>`;

/** A time to the second, which people compare with a carrier's own log. */
const secondOf = (iso: string): Html => html`<time datetime="${iso}" data-seconds>${iso.slice(11, 19)} UTC</time>`;

/** "sent at 14:02:11, no answer from the carrier: may or may not have it"; nothing for a delivery that is not in doubt. */
export function doubtLine(delivery: DeliveryView): Part {
  const words = doubtWords(delivery);
  return words && html`${words.before} ${delivery.markedAt ? secondOf(delivery.markedAt) : 'a time not known'}, ${words.after}`;
}

export const csrf = (token: string): Html => html`<input type="hidden" name="_csrf" value="${token}">`;

export interface Segment {
  readonly n: number;
  /** CSS class of the fill. */
  readonly fill: string;
  readonly label: string;
}

/** A stacked bar in SVG. Its widths are attributes, since the style policy allows no inline style. */
export function bar(segments: readonly Segment[], total: number, thin = false): Html {
  let x = 0;
  const rects = segments
    .filter((segment) => segment.n > 0)
    .map((segment) => {
      const width = total > 0 ? (segment.n / total) * 1000 : 0;
      const rect = html`<rect x="${x.toFixed(2)}" width="${width.toFixed(2)}" height="10" class="${segment.fill}"></rect>`;
      x += width;
      return rect;
    });
  const text = segments.filter((segment) => segment.n > 0).map((segment) => `${segment.label} ${segment.n}`);
  return html`<svg class="bar${thin ? ' thin' : ''}" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="${text.join(', ') || 'nothing yet'}">${rects}</svg>`;
}

/** The legend of a bar, with the colour, word and number of each segment. */
export const barKey = (segments: readonly Segment[], format: (n: number) => string): Html =>
  html`<ul class="key">${segments.map((segment) => html`<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" rx="2" class="${segment.fill}"></rect></svg>${segment.label} <b>${format(segment.n)}</b></li>`)}</ul>`;

export const channelList = (channels: readonly Channel[], names: Record<Channel, string>): string => channels.map((channel) => names[channel]).join(', ');
