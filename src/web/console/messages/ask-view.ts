import { html } from 'hono/html';
import type { Question } from '#schemas/message.ts';
import type { OpenImport } from '#services/imports/open-import.ts';
import type { Form } from '#web/console/shell/form.ts';
import { plural } from '#web/console/shell/format.ts';
import { attribute, type Html, type Part, time } from '#web/console/shell/parts.ts';

/** What the page asks before a message goes, and what of it is answered by now. */
export interface Asked {
  readonly rows?: boolean;
  readonly again?: boolean;
  /** The message that says the same to some of the same people. Only a refusal tells of it. */
  readonly repeated?: { readonly messageId: string; readonly at: string };
}

/** Reads which boxes of a form are ticked. */
export function answered(form: Form): { asked: Asked; acknowledge: Question[] } {
  const asked = { rows: form.get('rows') === 'yes', again: form.get('again') === 'yes' };
  return { asked, acknowledge: [...(asked.rows ? (['rejected_rows'] as const) : []), ...(asked.again ? (['repeated_text'] as const) : [])] };
}

const box = (id: 'rows' | 'again', checked: boolean, words: Html): Html =>
  html`<label class="check" for="${id}"><input type="checkbox" id="${id}" name="${id}" value="yes"${attribute('checked', checked)}> <span>${words}</span></label>`;

function rowsWords({ id, finishedAt, rejected, others }: OpenImport): Html {
  const more = others > 0 && ` and rows of ${plural(others, 'more import')}`;
  return html`<a href="/people/imports/${id}">${plural(rejected, 'row')} of an import</a> (${time(finishedAt)})${more} ${rejected === 1 && others === 0 ? 'was' : 'were'} not taken: this message may miss people. I know, and send it all the same.`;
}

/** Shows the boxes to tick. An answer whose box is no longer shown is sent along, so that one answer never undoes another. */
export function askView({ rows = false, again = false, repeated }: Asked, open: OpenImport | undefined): Part {
  return html`${open && box('rows', rows, rowsWords(open))}${repeated ? box('again', false, html`Some of these people have <a href="/messages/${repeated.messageId}">the same text</a> already (${time(repeated.at)}). I mean to send it again.`) : again && html`<input type="hidden" name="again" value="yes">`}`;
}
