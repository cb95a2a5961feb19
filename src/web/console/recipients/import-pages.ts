import { html } from 'hono/html';
import { Problem } from '#platform/errors.ts';
import { acknowledgeImport } from '#services/imports/acknowledge-import.ts';
import { getImport } from '#services/imports/get-import.ts';
import { importRecipients } from '#services/imports/import-recipients.ts';
import { listImports } from '#services/imports/list-imports.ts';
import type { ConsoleContext } from '#web/console/shell/env.ts';
import { number, plural } from '#web/console/shell/format.ts';
import { requireToken } from '#web/console/shell/guard.ts';
import { show } from '#web/console/shell/layout.ts';
import { acknowledgeForm, earlierImports, importBody } from './import-view.ts';
import { readUpload } from '#web/console/shell/multipart.ts';
import { Pages } from '#web/console/shell/pages.ts';
import { csrf, type FormError, errorOf, type Html, type Part } from '#web/console/shell/parts.ts';

type Result = Awaited<ReturnType<typeof importRecipients>>;

const TEMPLATE = [
  'external_id,name,phone,email,locale,time_zone,lat,lon,tags,skills,consent',
  'A-17,Ada Okafor,+447700900123,ada@example.org,en,Europe/London,51.5072,-0.1276,zone-a;volunteer,boat;medic,life;ops',
  '',
].join('\r\n');

/** So many of the thousand rows that a result may report are shown: the rest has to be looked for in the file. */
const SHOWN = 200;

function issueTable(issues: Result['errors'], title: string, total: number): Part {
  if (issues.length === 0) return '';
  return html`<section class="card stack" aria-label="${title}"><h2>${title}</h2>
    <div class="scroll"><table class="cells"><thead><tr><th scope="col" class="num">Line</th><th scope="col">Field</th><th scope="col">What is wrong</th></tr></thead>
    <tbody>${issues.slice(0, SHOWN).map((issue) => html`<tr><td class="num" data-label="Line">${number(issue.line)}</td><td data-label="Field"><code>${issue.field}</code></td><td>${issue.detail}</td></tr>`)}</tbody></table></div>
    ${total > SHOWN && html`<p class="soft">The first ${number(Math.min(SHOWN, issues.length))} are shown.</p>`}</section>`;
}

function resultView(result: Result, fileName: string, csrfToken: string): Html {
  const facts: [string, number][] = [
    ['Rows', result.rows],
    ['New people', result.created],
    ['Updated', result.updated],
    ['Merged', result.merged],
    ['Unchanged', result.unchanged],
    ['Rejected', result.rejected],
  ];
  return html`<div class="note ${result.rejected > 0 ? 'warn' : 'good'}" role="status" id="result">
      ${result.rejected > 0 ? html`<b>${plural(result.rejected, 'row')} of ${fileName} ${result.rejected === 1 ? 'was' : 'were'} not taken.</b> All others are in. Correct these rows and upload the file again: nobody is added twice.` : html`<b>All rows of ${fileName} are in.</b>`}</div>
    ${acknowledgeForm({ ...result, acknowledgedAt: null }, csrfToken)}
    <dl class="facts four card">${facts.map(([label, n]) => html`<div><dt>${label}</dt><dd>${number(n)}</dd></div>`)}</dl>
    ${issueTable(result.errors, 'Rejected rows', result.rejected)} ${issueTable(result.warnings, 'Taken, but look at these', result.warningCount)}`;
}

async function importPage(c: ConsoleContext, errors: readonly FormError[], result: Part = ''): Promise<Response> {
  const error = errorOf(errors, 'file');
  const body = html`<p class="crumb"><a href="/people">People</a></p><h1>Import people</h1>
    ${result}
    <form method="post" action="/people/import" enctype="multipart/form-data" class="card stack">${csrf(c.var.session.csrfToken)}
      <div class="field"><label for="file">CSV file</label>
        <div class="hint" id="file-hint">UTF-8 with a header row. Columns: external_id, name, phone, email, locale, time_zone, lat, lon, tags, skills, consent. Lists are separated by “;”. Each row needs an external_id, a phone or an e-mail. <a href="/people/template.csv">Download a template</a></div>
        ${error && html`<div class="error" id="file-error"><span class="hide">Error: </span>${error}</div>`}
        <input type="file" id="file" name="file" accept=".csv,text/csv,.ndjson,application/x-ndjson" required aria-describedby="file-hint${error ? ' file-error' : ''}"${error ? html` aria-invalid="true"` : ''}></div>
      <p class="soft">People who are there already, by external_id, phone or e-mail, are brought up to date. A wrong row never stops the others.</p>
      <div><button class="btn main wide">Import</button></div>
    </form>
    ${earlierImports((await listImports(c.var.ctx, { limit: 10 })).items)}`;
  return show(c, { title: 'Import people', section: 'recipients', narrow: true, errors, body });
}

async function upload(c: ConsoleContext): Promise<Response> {
  const refuse = (problem: unknown): Promise<Response> => {
    if (!(problem instanceof Problem) || problem.status === 403 || problem.status >= 500) throw problem;
    return importPage(c, [{ id: 'file', text: problem.message }]);
  };
  try {
    const sent = await readUpload(c.req.header('content-type') ?? '', c.req.raw.body as AsyncIterable<Uint8Array> | null);
    requireToken(c, sent.fields.get('_csrf'));
    if (sent.fileName === '') throw new Problem(422, 'file_required', 'Choose a file first.');
    const result = await importRecipients(c.var.ctx, sent.file, { format: /\.(ndjson|jsonl)$/i.test(sent.fileName) ? 'ndjson' : 'csv' });
    return await importPage(c, [], resultView(result, sent.fileName, c.var.session.csrfToken));
  } catch (problem) {
    return refuse(problem);
  }
}

async function importedPage(c: ConsoleContext): Promise<Response> {
  const done = await getImport(c.var.ctx, c.req.param('id') ?? '');
  const writes = c.var.ctx.actor.scopes.has('write');
  const body = importBody(done, writes && acknowledgeForm(done, c.var.session.csrfToken));
  return show(c, { title: 'An import', section: 'recipients', narrow: true, body });
}

async function acknowledge(c: ConsoleContext): Promise<Response> {
  const { id } = await acknowledgeImport(c.var.ctx, c.req.param('id') ?? '');
  return c.redirect(`/people/imports/${id}`, 303);
}

/** `GET POST /people/import`, `GET /people/imports/{id}`, `POST /people/imports/{id}/acknowledge`, `GET /people/template.csv`. */
export const importPages = (): Pages =>
  new Pages()
    .get('/people/import', 'write', (c) => importPage(c, []))
    .upload('/people/import', 'write', upload)
    .get('/people/imports/:id', 'read', importedPage)
    .post('/people/imports/:id/acknowledge', 'write', acknowledge)
    .get('/people/template.csv', 'read', (c) =>
      c.body(TEMPLATE, 200, { 'content-type': 'text/csv; charset=utf-8', 'content-disposition': 'attachment; filename="people.csv"' }),
    );
