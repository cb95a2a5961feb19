import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context as HonoContext } from 'hono';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { invalidField, Problem } from '#platform/errors.ts';
import { MESSAGE_CLASSES, type MessageClass } from '#schemas/delivery.ts';
import { localeSchema } from '#schemas/message.ts';
import { pushSubscriptionSchema } from '#schemas/recipient.ts';
import { openLink } from '#services/answers/answer-page.ts';
import { countVisit, visitorOf } from '#services/spread/count-visit.ts';
import { type PublicDeps, requestMailJoin } from '#services/spread/join-by-mail.ts';
import { joinByPush } from '#services/spread/join-by-push.ts';
import { nonceFits, pageNonce } from '#services/links/page-nonce.ts';
import { loadSharePage, type ShareLink, type SharePage } from '#services/spread/share-page.ts';
import { sentencePage } from '#web/public/layout.ts';
import { sharePage, type ShareView } from '#web/public/share-page.ts';
import { shareWords } from '#web/public/share-words.ts';
import { pageWords } from '#web/public/words.ts';
import { clientIpOf, limitKey } from '#http/client-ip.ts';
import type { AppEnv } from '#http/env.ts';
import { type Fields, isPrefetch, localeOfBrowser, missCounter, publicHeaders, readForm, readJson, secondsToWait, show } from '#http/public-page.ts';
import { shareConfirmRoutes } from './share-confirm.ts';

type C = HonoContext<AppEnv>;

const visitSchema = z.strictObject({ nonce: z.string().max(100) });
const pushJoinSchema = z.strictObject({ nonce: z.string().max(100), subscription: pushSubscriptionSchema, locale: z.string().max(35).optional() });

/**
 * So many requests to join are taken from one address within an hour. Those from this machine itself are not counted: they
 * come from the simulator, or through a proxy that is not configured as one.
 */
const JOINS_PER_HOUR = 60;
const isLoopback = (ip: string): boolean => ip === '::1' || /^(::ffff:)?127\./.test(ip);

/** Visitors who followed the hidden link are machines. So many of them are remembered before all are forgotten. */
const MAX_ROBOTS = 10_000;

/** The share link: shows the message in its latest state and lets visitors join for themselves alone. */
export function shareRoutes(deps: PublicDeps): OpenAPIHono<AppEnv> {
  const routes = new OpenAPIHono<AppEnv>();
  const clientIp = clientIpOf(deps.config.trustedProxies);
  const miss = missCounter(deps, clientIp);
  const joins = new RateLimiterMemory({ points: JOINS_PER_HOUR, duration: 3600 });
  const robots = new Set<string>();
  const visitorKey = (c: C): string => visitorOf(deps, clientIp(c), c.req.header('user-agent') ?? '').visitor.toString('base64');
  routes.route('/', shareConfirmRoutes(deps, miss));

  routes.get('/s/:token', async (c) => {
    const opened = await open(c, deps);
    if (!opened) return miss(c);
    return opened.page.message.over ? gone(c, deps) : present(c, deps, opened);
  });

  routes.get('/s/:token/more', (c) => {
    if (robots.size >= MAX_ROBOTS) robots.clear();
    robots.add(visitorKey(c));
    return miss(c);
  });

  routes.post('/s/:token/seen', async (c) => {
    const opened = await open(c, deps);
    if (!opened) return miss(c);
    const body = visitSchema.safeParse(await readJson(c));
    if (body.success && !isPrefetch(c) && nonceFits(deps, opened.token, body.data.nonce) && !robots.has(visitorKey(c)))
      await countVisit(deps, opened.page.message.tenantId, opened.link, { ip: clientIp(c), userAgent: c.req.header('user-agent') ?? '' });
    return c.body(null, 204, publicHeaders(deps));
  });

  routes.post('/s/:token/join', async (c) => {
    const opened = await open(c, deps);
    if (!opened) return miss(c);
    if (opened.page.message.over) return gone(c, deps);
    const ip = clientIp(c);
    const retryAfterSeconds = isLoopback(ip) ? 0 : await secondsToWait(joins, limitKey(ip));
    if (retryAfterSeconds > 0)
      throw new Problem(429, 'too_many_requests', 'Too many requests to join from here; try again later.', { extra: { retryAfterSeconds } });
    return /^application\/json\b/i.test(c.req.header('content-type') ?? '') ? pushJoin(c, deps, opened) : mailJoin(c, deps, opened);
  });

  return routes;
}

interface Opened {
  token: string;
  link: ShareLink;
  page: SharePage;
  locale: string;
}

async function open(c: C, deps: PublicDeps): Promise<Opened | undefined> {
  const token = c.req.param('token') ?? '';
  const link = openLink(deps, 'share', token);
  const locale = localeOfBrowser(c);
  const page = link && (await loadSharePage(deps, link, locale));
  return link && page && { token, link, page, locale };
}

const gone = (c: C, deps: PublicDeps): Promise<Response> =>
  show(c, deps, sentencePage(localeOfBrowser(c), pageWords(localeOfBrowser(c)).over), { status: 410 });

function present(
  c: C,
  deps: PublicDeps,
  { token, page, locale }: Opened,
  said: Pick<ShareView, 'said' | 'email'> = {},
  status: 200 | 403 | 422 = 200,
): Promise<Response> {
  const view = {
    page,
    token,
    nonce: pageNonce(deps, token),
    locale,
    publicUrl: deps.config.publicUrl,
    byMail: deps.mailer !== undefined,
    vapidPublicKey: deps.config.vapidPublicKey ?? '',
  };
  return show(c, deps, sharePage({ ...view, ...said }), { status, script: true });
}

/** The address as the page shows it again, cut to the length that its field takes. */
const emailOf = (form: Fields): string => (form.get('email') ?? '').slice(0, 254);

/** The purposes that the person agrees to: at least the class of the message through which they join. */
function consentOf(form: Fields, messageClass: MessageClass): MessageClass[] {
  const chosen = MESSAGE_CLASSES.filter((one) => form.has(`consent_${one}`));
  return chosen.length > 0 ? chosen : [messageClass];
}

/** The answer is the same whether or not the address is known, was asked lately or wants no mail. */
async function mailJoin(c: C, deps: PublicDeps, opened: Opened): Promise<Response> {
  const form = await readForm(c);
  if (isPrefetch(c) || !nonceFits(deps, opened.token, form.get('nonce') ?? '')) return present(c, deps, opened, { said: 'too_old', email: emailOf(form) }, 403);
  if (!opened.page.join) return gone(c, deps);
  const { message } = opened.page;
  const words = shareWords(opened.locale);
  try {
    await requestMailJoin(deps, {
      link: opened.link,
      tenantId: message.tenantId,
      email: form.get('email') ?? '',
      consent: consentOf(form, message.class),
      locale: localeSchema.safeParse(opened.locale).success ? opened.locale : 'en',
      words: { subject: words.mailSubject(message.tenantName), text: (link) => words.mailText(message.tenantName, link) },
    });
  } catch (error) {
    if (error instanceof Problem && error.status === 422) return present(c, deps, opened, { said: 'bad_mail', email: emailOf(form) }, 422);
    throw error;
  }
  return present(c, deps, opened, { said: 'check_mail' });
}

async function pushJoin(c: C, deps: PublicDeps, opened: Opened): Promise<Response> {
  const body = pushJoinSchema.safeParse(await readJson(c));
  if (!body.success) throw invalidField(body.error.issues[0]?.path.join('.') ?? 'body', 'invalid', body.error.issues[0]?.message ?? 'is not valid');
  if (!nonceFits(deps, opened.token, body.data.nonce)) throw new Problem(403, 'stale_page', 'The page has grown too old: load it again.');
  const { message } = opened.page;
  const locale = localeSchema.safeParse(body.data.locale).success ? (body.data.locale ?? opened.locale) : 'en';
  await joinByPush(deps, message.tenantId, opened.link, { subscription: body.data.subscription, consent: [message.class], locale });
  return c.json({ joined: true }, 200, publicHeaders(deps));
}
