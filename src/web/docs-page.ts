import { html, raw } from 'hono/html';
import { createHash } from 'node:crypto';

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; text-transform: capitalize; }
article { border-top: 1px solid #8886; padding: .75rem 0; }
h3 { font: 600 1rem ui-monospace, monospace; margin: 0; overflow-wrap: anywhere; }
.method { display: inline-block; min-width: 4.5rem; }
pre { overflow-x: auto; font-size: .85rem; background: #8881; padding: .75rem; }
p { margin: .25rem 0; } summary { cursor: pointer; } code { overflow-wrap: anywhere; }
`;

/** The hash that a Content-Security-Policy must allow for the page's own style. */
export const DOCS_STYLE_HASH = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`;

type Html = ReturnType<typeof html>;

/** Texts of the document are Markdown, of which this page shows the code in backticks alone. */
const marked = (text: string): Html[] => text.split(/`([^`]+)`/).map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : html`${part}`));

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  schema?: { enum?: unknown[]; minimum?: number; maximum?: number; maxLength?: number; example?: string | number; description?: string };
}

interface Operation {
  tags?: string[];
  summary?: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: unknown;
  responses?: Record<string, { description?: string }>;
}
type Listed = { path: string; method: string; operation: Operation };

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

function listOf(paths: Record<string, unknown>): Listed[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = (item as Partial<Record<(typeof METHODS)[number], Operation>>)[method];
      return operation ? [{ path, method, operation }] : [];
    }),
  );
}

/** The API's reference, made from its OpenAPI document. It has no script and loads nothing from elsewhere. */
export function docsPage(document: { info: { title: string; description?: string }; paths?: object; components?: { schemas?: object } }): Html {
  const operations = listOf((document.paths ?? {}) as Record<string, unknown>);
  const groups = Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? 'other');
  const schemas = document.components?.schemas ?? {};
  return html`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${document.info.title} API</title><style>${raw(STYLE)}</style></head>
<body>
<h1>${document.info.title} API</h1>
<p>${marked(document.info.description ?? '')}</p>
<p><a href="/v1/openapi.json">OpenAPI 3.1 document</a></p>
<nav aria-label="Groups"><ul>${[...groups.keys()].map((name) => html`<li><a href="#${name}">${name}</a></li>`)}<li><a href="#shapes">shapes</a></li></ul></nav>
<main>
${[...groups].map(([name, members]) => html`<section id="${name}"><h2>${name}</h2>${members.map(operationView)}</section>`)}
<section id="shapes"><h2>Shapes</h2>${Object.entries(schemas).map(([name, schema]) => html`<article id="shape-${name}">${details(name, schema)}</article>`)}</section>
</main>
</body>
</html>`;
}

const operationView = ({ path, method, operation }: Listed) => html`<article>
<h3><span class="method">${method.toUpperCase()}</span> ${path}</h3>
<p>${marked(operation.summary ?? '')}</p>
${operation.description ? html`<p>${marked(operation.description)}</p>` : ''}
${operation.parameters && operation.parameters.length > 0 ? html`<ul>${operation.parameters.map(parameterView)}</ul>` : ''}
${operation.requestBody ? details('Body', operation.requestBody) : ''}
${answersView(operation.responses ?? {})}
</article>`;

/** Says `limit` (query): 1 to 1000. */
function parameterView({ name, in: place, required, schema = {} }: Parameter): Html {
  const { minimum, maximum, maxLength, example, description } = schema;
  const facts = [
    required && place !== 'path' ? 'required' : '',
    schema.enum ? schema.enum.join(', ') : '',
    minimum !== undefined && maximum !== undefined ? `${minimum} to ${maximum}` : '',
    maxLength === undefined ? '' : `at most ${maxLength} characters`,
    example === undefined ? '' : `such as ${example}`,
  ].filter(Boolean);
  return html`<li><code>${name}</code> (${place})${facts.length > 0 ? `: ${facts.join('; ')}` : ''}${description ? html`. ${marked(description)}` : ''}</li>`;
}

/** Shows what an operation gives. Its refusals are folded away, since they are nearly the same everywhere. */
function answersView(responses: NonNullable<Operation['responses']>): Html {
  const all = Object.entries(responses);
  const view = ([status, response]: (typeof all)[number]): Html => html`<p><code>${status}</code> ${marked(response.description ?? '')}</p>`;
  const refusals = all.filter(([status]) => Number(status) >= 400);
  return html`${all.filter(([status]) => Number(status) < 400).map(view)}${
    refusals.length > 0 ? html`<details><summary>Refusals</summary>${refusals.map(view)}</details>` : ''
  }`;
}

const details = (title: string, value: unknown) => html`<details><summary>${title}</summary><pre>${JSON.stringify(value, null, 2)}</pre></details>`;
