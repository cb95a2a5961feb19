import { OpenAPIHono } from '@hono/zod-openapi';
import { Problem } from '#platform/errors.ts';
import { confirmMailJoin, loadPendingJoin } from '#services/spread/join-by-mail.ts';
import { nonceFits, pageNonce } from '#services/links/page-nonce.ts';
import { sentencePage } from '#web/public/layout.ts';
import { confirmPage } from '#web/public/small-pages.ts';
import { pageWords } from '#web/public/words.ts';
import type { AppEnv, Deps } from '#http/env.ts';
import { isPrefetch, type Miss, readForm, show } from '#http/public-page.ts';

/** The link of a confirmation mail: GET shows the question, POST joins. */
export function shareConfirmRoutes(deps: Deps, miss: Miss): OpenAPIHono<AppEnv> {
  const routes = new OpenAPIHono<AppEnv>();

  routes.get('/s/confirm/:code', async (c) => {
    const code = c.req.param('code');
    const pending = await loadPendingJoin(deps, code);
    if (!pending) return miss(c);
    if (pending.expired && !pending.confirmed) return show(c, deps, sentencePage(pending.locale, pageWords(pending.locale).over), { status: 410 });
    return show(c, deps, confirmPage({ ...pending, code, ...(pending.confirmed ? {} : { nonce: pageNonce(deps, code) }) }));
  });

  routes.post('/s/confirm/:code', async (c) => {
    const code = c.req.param('code');
    const pending = await loadPendingJoin(deps, code);
    if (!pending) return miss(c);
    if (pending.confirmed) return show(c, deps, confirmPage({ ...pending, code }));
    const form = await readForm(c);
    if (isPrefetch(c) || !nonceFits(deps, code, form.get('nonce') ?? ''))
      return show(c, deps, confirmPage({ ...pending, code, nonce: pageNonce(deps, code), stale: true }), { status: 403 });
    try {
      await confirmMailJoin(deps, pending);
    } catch (error) {
      if (error instanceof Problem && error.status === 410) return show(c, deps, sentencePage(pending.locale, pageWords(pending.locale).over), { status: 410 });
      throw error;
    }
    return show(c, deps, confirmPage({ ...pending, code }));
  });

  return routes;
}
