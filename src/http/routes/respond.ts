import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context as HonoContext } from 'hono';
import { Problem } from '#platform/errors.ts';
import { answerFromPage } from '#services/answer-from-page.ts';
import { type AnswerPage, loadAnswerPage, openLink } from '#services/answer-page.ts';
import { recordShown } from '#services/beacon.ts';
import { nonceFits, pageNonce } from '#services/page-nonce.ts';
import { sentencePage } from '#web/public/layout.ts';
import { respondPage } from '#web/public/respond-page.ts';
import { pageWords } from '#web/public/words.ts';
import { clientIpOf } from '#http/client-ip.ts';
import type { AppEnv, Deps } from '#http/env.ts';
import { isPrefetch, missCounter, publicHeaders, readForm, show } from '#http/public-page.ts';
import { publicAssets } from './public-assets.ts';

type C = HonoContext<AppEnv>;

/**
 * The answer link: GET and HEAD show and never write; POST with the page's nonce answers. Asked for JSON, both speak
 * JSON: that is the service worker, when somebody taps a button of a notification.
 */
export function respondRoutes(deps: Deps): OpenAPIHono<AppEnv> {
  const routes = new OpenAPIHono<AppEnv>();
  const miss = missCounter(deps, clientIpOf(deps.config.trustedProxies));
  routes.route('/', publicAssets());

  routes.post('/r/beacon/:token', async (c) => {
    if (!(await recordShown(deps, c.req.param('token')))) return miss(c);
    return c.body(null, 204, publicHeaders(deps));
  });

  routes.get('/r/:token', async (c) => {
    const page = await openPage(deps, c.req.param('token'));
    if (!page) return miss(c);
    return gone(c, deps, page) ?? present(c, deps, page, c.req.param('token'));
  });

  // The hidden link. People do not see it; whoever follows it is a machine.
  routes.get('/r/:token/more', (c) => {
    deps.log.info({ code: 'decoy_followed' }, 'a robot followed the hidden link');
    return miss(c);
  });

  routes.post('/r/:token', async (c) => {
    const token = c.req.param('token');
    const page = await openPage(deps, token);
    if (!page) return miss(c);
    const ended = gone(c, deps, page);
    if (ended) return ended;
    const form = await readForm(c);
    if (isPrefetch(c) || !nonceFits(deps, token, form.get('nonce') ?? '')) return present(c, deps, page, token, 403);
    try {
      await answerFromPage(deps, page, {
        key: form.get('answer') ?? '',
        way: form.get('way') === 'push' ? 'push' : 'page',
        eta: form.get('eta') ?? '',
        note: form.get('note') ?? '',
      });
    } catch (error) {
      if (error instanceof Problem && error.status === 422) return present(c, deps, page, token, 422);
      if (error instanceof Problem && error.status === 410) return over(c, deps, page);
      throw error;
    }
    // Read again: the page says what is recorded, not what was sent.
    return present(c, deps, (await openPage(deps, token)) ?? page, token);
  });

  return routes;
}

async function openPage(deps: Deps, token: string): Promise<AnswerPage | undefined> {
  const link = openLink(deps, 'answer', token);
  return link && loadAnswerPage(deps, link);
}

/** 410 without content once the link has ended or the person was erased. */
const gone = (c: C, deps: Deps, page: AnswerPage): Promise<Response> | undefined =>
  page.erased ? show(c, deps, sentencePage(page.locale, pageWords(page.locale).erased), { status: 410 }) : page.message.over ? over(c, deps, page) : undefined;

const over = (c: C, deps: Deps, page: AnswerPage): Promise<Response> => show(c, deps, sentencePage(page.locale, pageWords(page.locale).over), { status: 410 });

function present(c: C, deps: Deps, page: AnswerPage, token: string, status: 200 | 403 | 422 = 200): Promise<Response> | Response {
  const nonce = pageNonce(deps, token);
  if (/^application\/json\b/.test(c.req.header('accept') ?? ''))
    return c.json(
      {
        nonce,
        answers: page.message.answers.map(({ key, label }) => ({ key, label })),
        answer: page.answer ? { key: page.answer.key, at: page.answer.at.toISOString() } : null,
      },
      status,
      publicHeaders(deps),
    );
  const share = page.message.share ? `/s/${deps.tokens.seal('share', { a: Number(page.message.messageId), b: Number(page.recipientId), extra: 0 })}#mine` : '';
  return show(c, deps, respondPage({ page, token, nonce, shareUrl: share, stale: status === 403 }), { status });
}
