import { Hono } from 'hono';
import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { Problem } from '#platform/errors.ts';
import { isUnstorable } from '#platform/unstorable.ts';
import { assetRoutes } from '#web/assets/assets.ts';
import type { ConsoleContext, ConsoleDeps, ConsoleEnv } from '#web/console/shell/env.ts';
import { publicGuard, sessionGuard } from '#web/console/shell/guard.ts';
import { show } from '#web/console/shell/layout.ts';
import type { Pages } from '#web/console/shell/pages.ts';
import { signInRoutes, signOutPages } from '#web/console/shell/sign-in-page.ts';
import { sectionPages } from './sections.ts';

const TITLES: Partial<Record<number, string>> = {
  403: 'Not allowed',
  404: 'Not found',
  410: 'Gone',
  409: 'Not possible now',
  413: 'Too large',
  503: 'Not available for a moment',
};

/** Shows an error as a page. For what nobody foresaw it shows the request's id alone, and the log has the cause. */
async function errorPage(error: Error, c: ConsoleContext, { deps, isUnavailable }: ConsoleDeps): Promise<Response> {
  const unavailable = !(error instanceof Problem) && isUnavailable(error);
  const unstorable = !(error instanceof Problem) && isUnstorable(error);
  if (!(error instanceof Problem) && !unavailable && !unstorable)
    deps.log.error(
      { requestId: c.get('requestId'), err: { name: error.name, code: (error as { code?: string }).code, stack: error.stack } },
      'unforeseen error',
    );
  const status = error instanceof Problem ? error.status : unavailable ? 503 : unstorable ? 422 : 500;
  const text = unstorable
    ? 'Some text holds a character that cannot be kept: a NUL or half of a surrogate pair. Take it out and send it again.'
    : error instanceof Problem
      ? error.message
      : unavailable
        ? 'The database cannot be reached or is busy. Messages that were accepted are safe. Try again in a moment.'
        : 'Something failed here that nobody foresaw. Nothing more is known on this page; the log has it under this id:';
  const title = TITLES[status] ?? 'That did not work';
  const body = html`<h1>${title}</h1><p>${text}</p>${status === 500 && html`<p class="mono">${c.get('requestId')}</p>`}<p><a class="btn" href="/">To the overview</a></p>`;
  return show(c, { title, narrow: true, body }, status as ContentfulStatusCode);
}

/**
 * The pages of the coordinators. Everything works without a script; scripts make it live.
 * @param streams the pages that the HTTP layer adds
 */
export function createConsole(console: ConsoleDeps, streams: Pages): Hono<ConsoleEnv> {
  const { deps } = console;
  const app = new Hono<ConsoleEnv>();
  app.onError((error, c) => errorPage(error, c, console));
  app.use('/sign-in', publicGuard(deps));
  app.route('/', assetRoutes() as unknown as Hono<ConsoleEnv>);
  app.route('/', signInRoutes(console));
  const pages = [...signOutPages(console).list, ...streams.list, ...sectionPages()];
  app.use('*', sessionGuard(deps, pages));
  for (const { method, path, handler } of pages) app.on(method, path, handler);
  return app;
}
