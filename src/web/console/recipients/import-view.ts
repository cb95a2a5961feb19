import { html } from 'hono/html';
import type { ImportView } from '#services/imports/import-view.ts';
import { number, plural } from '#web/console/shell/format.ts';
import { csrf, type Html, type Part, time } from '#web/console/shell/parts.ts';

type Open = Pick<ImportView, 'id' | 'rejected' | 'erased' | 'acknowledgedAt'>;

const isOpen = (done: Open): boolean => done.rejected > done.erased && done.acknowledgedAt === null;

/** The button by which somebody says that they have seen the rejected rows; nothing where there are none to see. */
export const acknowledgeForm = (done: Open, csrfToken: string): Part =>
  isOpen(done) &&
  html`<form method="post" action="/people/imports/${done.id}/acknowledge" class="card stack">${csrf(csrfToken)}
    <p>Messages may miss the rejected rows. For a week, each message asks about them before it goes, until somebody says that they are seen.</p>
    <div><button class="btn main">I have seen these rows</button></div></form>`;

function stateOf(done: ImportView): Part {
  if (done.rejected === done.erased) return '';
  return done.acknowledgedAt === null ? html`<span class="tag warn">not seen yet</span>` : html`<span class="tag">seen</span>`;
}

/** Shows what came of an earlier import, as far as it is kept. */
export function importBody(done: ImportView, form: Part): Html {
  const facts: [string, number][] = [
    ['New people', done.created],
    ['Updated', done.updated],
    ['Merged', done.merged],
    ['Unchanged', done.unchanged],
    ['Rejected', done.rejected],
  ];
  const seen = done.acknowledgedAt !== null && done.rejected > done.erased;
  return html`<p class="crumb"><a href="/people/import">Import people</a></p><h1>Import of ${time(done.finishedAt)}</h1>
    ${seen && html`<p class="note good" role="status">The rejected rows were seen ${time(done.acknowledgedAt)}. No message asks about them any more.</p>`}
    ${form}
    <dl class="facts four card">${facts.map(([label, n]) => html`<div><dt>${label}</dt><dd>${number(n)}</dd></div>`)}</dl>
    ${done.erased > 0 && html`<p class="soft">${plural(done.erased, 'of the rejected rows is a person', 'of the rejected rows are people')} who asked to be erased.</p>`}
    ${
      done.rejectedRows.length > 0 &&
      html`<section class="card stack" aria-label="Rejected rows"><h2>Rejected rows</h2>
        <div class="scroll"><table class="cells"><thead><tr><th scope="col" class="num">Line</th><th scope="col">Field</th><th scope="col">What is wrong</th></tr></thead>
        <tbody>${done.rejectedRows.map((row) => html`<tr><td class="num" data-label="Line">${number(row.line)}</td><td data-label="Field"><code>${row.field}</code></td><td data-label="Code"><code>${row.code}</code></td></tr>`)}</tbody></table></div>
        <p class="soft">Nothing that stood in these rows is kept here. Correct them in the file and upload it again: nobody is added twice.</p></section>`
    }`;
}

export const earlierImports = (imports: readonly ImportView[]): Part =>
  imports.length > 0 &&
  html`<section class="card stack" aria-label="Earlier imports"><h2>Earlier imports</h2>
    <ul class="list">${imports.map((done) => html`<li><a href="/people/imports/${done.id}">${time(done.finishedAt)}</a> ${number(done.created)} new, ${number(done.updated)} updated, ${number(done.rejected)} rejected ${stateOf(done)}</li>`)}</ul></section>`;
