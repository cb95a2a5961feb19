import { OpenAPIHono } from '@hono/zod-openapi';
import { Problem } from '#platform/errors.ts';
import { loadUnsubscribe, unsubscribe } from '#services/recipients/unsubscribe.ts';
import { sentencePage } from '#web/public/layout.ts';
import { unsubscribePage } from '#web/public/small-pages.ts';
import { pageWords } from '#web/public/words.ts';
import { clientIpOf } from '#http/client-ip.ts';
import type { AppEnv, Deps } from '#http/env.ts';
import { missCounter, readForm, show } from '#http/public-page.ts';

/**
 * One-click unsubscribe (RFC 8058): POST with `List-Unsubscribe=One-Click`, urlencoded or multipart, acts without
 * cookie, nonce or redirect; the sealed token is the proof. GET shows the page and changes nothing.
 */
export function unsubscribeRoutes(deps: Deps): OpenAPIHono<AppEnv> {
  const routes = new OpenAPIHono<AppEnv>();
  const miss = missCounter(deps, clientIpOf(deps.config.trustedProxies));

  routes.get('/u/:token', async (c) => {
    const found = await loadUnsubscribe(deps, c.req.param('token'));
    if (!found) return miss(c);
    if (found.erased) return show(c, deps, sentencePage(found.locale, pageWords(found.locale).erased), { status: 410 });
    return show(c, deps, unsubscribePage(found.locale, found.tenantName, c.req.param('token'), found.done));
  });

  routes.post('/u/:token', async (c) => {
    const found = await loadUnsubscribe(deps, c.req.param('token'));
    if (!found) return miss(c);
    if ((await readForm(c)).get('List-Unsubscribe') !== 'One-Click')
      throw new Problem(400, 'not_one_click', 'The form must say List-Unsubscribe=One-Click (RFC 8058).', {
        errors: [{ field: 'List-Unsubscribe', code: 'required', detail: 'must be One-Click' }],
      });
    // An erased person gets nothing any more: the wish is fulfilled already.
    if (!found.erased) await unsubscribe(deps, found);
    return show(c, deps, unsubscribePage(found.locale, found.tenantName, c.req.param('token'), true));
  });

  return routes;
}
