import { Hono } from 'hono';
import { html } from 'hono/html';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { Problem } from '#platform/errors.ts';
import { isUnstorable } from '#platform/unstorable.ts';
import { assetRoutes } from '#web/assets/assets.ts';
import { composeRoutes } from '#web/console/messages/compose-pages.ts';
import { correctRoutes } from '#web/console/messages/correct-pages.ts';
import type { ConsoleContext, ConsoleDeps, ConsoleEnv } from '#web/console/shell/env.ts';
import { pageGuard, sessionGuard } from '#web/console/shell/guard.ts';
import { show } from '#web/console/shell/layout.ts';
import { listRoutes } from '#web/console/messages/list-pages.ts';
import { messageRoutes } from '#web/console/messages/message-pages.ts';
import { overviewRoutes } from './overview-page.ts';
import { importRoutes } from '#web/console/recipients/import-pages.ts';
import { peopleRoutes } from '#web/console/recipients/recipient-pages.ts';
import { settingsRoutes } from '#web/console/organisation/settings-page.ts';
import { signInRoutes, signOutRoutes } from '#web/console/shell/sign-in-page.ts';

/** Paths behind the session. Listed, since the console shares its root with the API, the hooks and the public pages. */
const PRIVATE = ['/', '/sign-out', '/stop', '/messages', '/messages/*', '/people', '/people/*', '/settings', '/settings/*', '/texts/*'];

const TITLES: Partial<Record<number, string>> = {
  403: 'Not allowed',
  404: 'Not found',
  410: 'Gone',
  409: 'Not possible now',
  413: 'Too large',
  503: 'Not available for a moment',
};

/** Errors as pages. What nobody foresaw shows the request's id alone; its cause is in the log. */
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

/** The coordinator's pages. Everything works without a script; scripts make it live. */
export function createConsole(console: ConsoleDeps, streams: Hono<ConsoleEnv>): Hono<ConsoleEnv> {
  const { deps } = console;
  const app = new Hono<ConsoleEnv>();
  app.onError((error, c) => errorPage(error, c, console));
  const page = pageGuard(deps);
  const session = sessionGuard(deps);
  app.use('/sign-in', page);
  for (const path of PRIVATE) app.use(path, page, session);
  app.route('/', assetRoutes() as unknown as Hono<ConsoleEnv>);
  app.route('/', signInRoutes(console));
  for (const routes of [
    signOutRoutes(console),
    streams,
    overviewRoutes(),
    composeRoutes(),
    correctRoutes(),
    listRoutes(),
    messageRoutes(),
    importRoutes(),
    peopleRoutes(),
    settingsRoutes(),
  ])
    app.route('/', routes);
  return app;
}
