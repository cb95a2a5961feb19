import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context as HonoContext } from 'hono';
import { Problem } from '#platform/errors.ts';
import { BUTTON_WAYS } from '#schemas/channel-facts.ts';
import { answerFromPage } from '#services/answers/answer-from-page.ts';
import { type AnswerLink, type AnswerPage, loadAnswerPage, openLink } from '#services/answers/answer-page.ts';
import { recordShown } from '#services/receipts/receive-beacon.ts';
import { nonceFits, pageNonce } from '#services/links/page-nonce.ts';
import { sentencePage } from '#web/public/layout.ts';
import { respondPage } from '#web/public/respond-page.ts';
import { pageWords } from '#web/public/words.ts';
import { clientIpOf } from '#http/client-ip.ts';
import type { AppEnv, Deps } from '#http/env.ts';
import { type Fields, isPrefetch, missCounter, publicHeaders, readForm, show } from '#http/public-page.ts';
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

  /** Shows the page as it is now, or 410 where the link has ended or the person was erased. */
  const look = async (c: C, token: string, link: AnswerLink, status: 200 | 403 | 422 = 200): Promise<Response> => {
    const page = await loadAnswerPage(deps, link);
    if (!page) return miss(c);
    return gone(c, deps, page) ?? present(c, deps, page, { token, nonce: pageNonce(deps, token), status });
  };

  routes.get('/r/:token', (c) => {
    const token = c.req.param('token');
    const link = openLink(deps, 'answer', token);
    return link ? look(c, token, link) : miss(c);
  });

  // This is the hidden link. People do not see it, so whoever follows it is a machine.
  routes.get('/r/:token/more', (c) => {
    deps.log.info({ code: 'decoy_followed' }, 'a robot followed the hidden link');
    return miss(c);
  });

  routes.post('/r/:token', async (c) => {
    const token = c.req.param('token');
    const link = openLink(deps, 'answer', token);
    if (!link) return miss(c);
    const form = await readForm(c);
    const nonce = pageNonce(deps, token);
    if (isPrefetch(c) || !nonceFits(deps, token, form.get('nonce') ?? '', nonce)) return look(c, token, link, 403);
    const page = await press(deps, link, form);
    if (!page) return miss(c);
    if (!(page instanceof Problem)) return present(c, deps, page, { token, nonce });
    const now = page.status === 410 ? await loadAnswerPage(deps, link) : undefined;
    return now && !now.erased ? over(c, deps, now) : look(c, token, link, 422);
  });

  return routes;
}

/** Records the answer, and gives the page after it or why it is not taken. */
async function press(deps: Deps, link: AnswerLink, form: Fields): Promise<AnswerPage | Problem | undefined> {
  try {
    return await answerFromPage(deps, link, {
      key: form.get('answer') ?? '',
      way: BUTTON_WAYS.find((way) => way === form.get('way')) ?? 'page',
      eta: form.get('eta') ?? '',
      note: form.get('note') ?? '',
    });
  } catch (error) {
    // A 404 means that the row of a person who was erased long ago is gone.
    if (error instanceof Problem && [404, 410, 422].includes(error.status)) return error;
    throw error;
  }
}

/** Answers 410 without content once the link has ended or the person was erased; undefined before. */
const gone = (c: C, deps: Deps, page: AnswerPage): Promise<Response> | undefined =>
  page.erased ? show(c, deps, sentencePage(page.locale, pageWords(page.locale).erased), { status: 410 }) : page.message.over ? over(c, deps, page) : undefined;

const over = (c: C, deps: Deps, page: AnswerPage): Promise<Response> => show(c, deps, sentencePage(page.locale, pageWords(page.locale).over), { status: 410 });

const REFUSED = { 200: undefined, 403: 'tryAgain', 422: 'notOffered' } as const;

interface Presented {
  readonly token: string;
  readonly nonce: string;
  readonly status?: 200 | 403 | 422;
}

function present(c: C, deps: Deps, page: AnswerPage, { token, nonce, status = 200 }: Presented): Promise<Response> | Response {
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
  return show(c, deps, respondPage({ page, token, nonce, shareUrl: share, refused: REFUSED[status] }), { status });
}
