import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { type Session, sessionActor } from '#services/access/sessions.ts';
import { type AssetName, assetPath } from '#web/assets/assets.ts';
import type { ConsoleContext } from './env.ts';
import { csrf, type FormError, errorSummary, type Html, type Part } from './parts.ts';
import { type Section, SECTIONS } from './sections.ts';

export interface PageOptions {
  title: string;
  section?: Section;
  body: Part;
  errors?: readonly FormError[];
  narrow?: boolean;
  scripts?: readonly AssetName[];
  styles?: readonly AssetName[];
  /** A line over the whole width that must not be overlooked. */
  banner?: Part;
}

const SCRIPTS: readonly AssetName[] = ['htmx.js', 'console.js'];

/** The sections that this person may open. */
function sectionsFor(session: Session): [string, (typeof SECTIONS)[Section]][] {
  const { scopes } = sessionActor(session);
  return Object.entries(SECTIONS).filter(([, { scope }]) => scopes.has(scope));
}

function header(session: Session | undefined, section: Section | undefined, banner: Part): Html {
  return html`<header class="top"><div>
    <a class="brand" href="/"><img src="${assetPath('icon.svg')}" alt="">Muster</a>
    ${
      session &&
      html`<div class="who"><span class="name" title="${session.email}">${session.userName}, ${session.tenantName}</span>
      <form method="post" action="/sign-out">${csrf(session.csrfToken)}<button class="btn plain small">Sign out</button></form></div>
    <nav class="nav" aria-label="Main">${sectionsFor(session).map(([key, { path, label }]) => html`<a href="${path}"${key === section ? html` aria-current="page"` : ''}>${label}</a>`)}</nav>`
    }
  </div>${banner}</header>`;
}

/** A whole page. `session` is missing where nobody is signed in. */
export function document(session: Session | undefined, page: PageOptions): Html {
  const errors = page.errors ?? [];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${errors.length > 0 ? 'Error: ' : ''}${page.title} – Muster</title>
<meta name="color-scheme" content="light dark">
<meta name="htmx-config" content='{"history": false, "includeIndicatorCSS": false}'>
<link rel="icon" href="${assetPath('icon.svg')}" type="image/svg+xml">
${['console.css' as const, ...(page.styles ?? [])].map((name) => html`<link rel="stylesheet" href="${assetPath(name)}">`)}
${[...SCRIPTS, ...(page.scripts ?? [])].map((name) => html`<script src="${assetPath(name)}" defer></script>`)}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${header(session, page.section, page.banner)}
<main id="main" class="${page.narrow ? 'narrow' : ''}">
${errorSummary(errors)}
${page.body}
</main>
</body>
</html>`;
}

/** Answers with a page. The status is 422 when the form had errors, so that a script or test can tell. */
export async function show(c: ConsoleContext, page: PageOptions, status?: ContentfulStatusCode): Promise<Response> {
  const text = await document(c.var.session, page);
  return c.html(text, status ?? ((page.errors?.length ?? 0) > 0 ? 422 : 200));
}
