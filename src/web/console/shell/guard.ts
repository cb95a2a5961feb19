import { timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { matchedRoutes } from 'hono/route';
import { Problem } from '#platform/errors.ts';
import type { Deps, Scope } from '#services/context.ts';
import { findSession, sessionActor } from '#services/access/sessions.ts';
import type { ConsoleContext, ConsoleEnv } from './env.ts';
import { readForm } from './form.ts';
import type { Page } from './pages.ts';

const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

const isUnsafe = (method: string): boolean => method !== 'GET' && method !== 'HEAD';
const isSecure = (deps: Deps): boolean => deps.config.publicUrl.startsWith('https:');

/** The `__Host-` prefix makes browsers hold the cookie to this host and to TLS; it cannot exist on plain http. */
const cookieName = (deps: Deps): string => (isSecure(deps) ? '__Host-muster' : 'muster');

export const sessionToken = (c: ConsoleContext, deps: Deps): string => getCookie(c, cookieName(deps)) ?? '';

export function setSessionCookie(c: ConsoleContext, deps: Deps, token: string): void {
  setCookie(c, cookieName(deps), token, { path: '/', httpOnly: true, sameSite: 'Lax', secure: isSecure(deps) });
}

export const clearSessionCookie = (c: ConsoleContext, deps: Deps): string | undefined =>
  deleteCookie(c, cookieName(deps), { path: '/', secure: isSecure(deps) });

/** Sets the headers of every console page. @throws Problem 403 `foreign_origin` for a form that another site made the browser send */
function guardPage(c: ConsoleContext, deps: Deps): void {
  c.header('content-security-policy', CSP);
  // `no-referrer` would make browsers send `Origin: null` with our own forms.
  c.header('referrer-policy', 'same-origin');
  c.header('cache-control', 'no-store');
  c.header('x-content-type-options', 'nosniff');
  c.header('x-frame-options', 'DENY');
  c.header('cross-origin-opener-policy', 'same-origin');
  if (isUnsafe(c.req.method) && !isSameOrigin(c, deps))
    throw new Problem(403, 'foreign_origin', 'This form was not sent from this console, so nothing was done.');
}

/** Guards the pages that need no session. */
export const publicGuard =
  (deps: Deps): MiddlewareHandler<ConsoleEnv> =>
  (c, next) => {
    guardPage(c, deps);
    return next();
  };

/**
 * Whether the browser sent this from a page of ours. Browsers send Sec-Fetch-Site on https and on loopback, and Origin with
 * every POST. Origin is compared with the public address and with the Host that the browser believed it was talking to; a
 * foreign page can set neither.
 */
function isSameOrigin(c: ConsoleContext, deps: Deps): boolean {
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = c.req.header('origin');
  if (origin === undefined || !URL.canParse(origin)) return false;
  const { host } = new URL(origin);
  return host === new URL(deps.config.publicUrl).host || host === (c.req.header('host') ?? new URL(c.req.url).host);
}

const isMultipart = (c: ConsoleContext): boolean => (c.req.header('content-type') ?? '').startsWith('multipart/');

/** Gives `people` of `/people/rcp_x` and '' of `/`. */
const folderOf = (path: string): string => path.split('/', 2)[1] ?? '';

/**
 * Stands before every page of the console: lets in who is signed in and has the page's scope, sets `ctx` and `session`, and
 * holds every form to the session's token. The console shares its root with the API, the hooks and the public pages, which
 * come before it. An address that no route matches goes on and becomes a 404, unless it lies below a folder of the pages;
 * one below /v1 goes on as well, since the API's own gate has let it pass.
 */
export function sessionGuard(deps: Deps, pages: readonly Page[]): MiddlewareHandler<ConsoleEnv> {
  const known = new Map(pages.map((page) => [`${page.method} ${page.path}`, page]));
  const folders = new Set(pages.map(({ path }) => folderOf(path)).filter((folder) => folder !== ''));
  return async (c, next) => {
    const route = matchedRoutes(c).find(({ method }) => method !== 'ALL');
    const folder = folderOf(c.req.path);
    const isOurs = route !== undefined || folders.has(folder) || c.req.path === '/';
    if (folder === 'v1' || !isOurs) return next();
    guardPage(c, deps);
    const token = sessionToken(c, deps);
    const session = token === '' ? undefined : await findSession(deps, token);
    if (!session) return toSignIn(c, deps, token !== '');
    c.set('session', session);
    c.set('ctx', { ...deps, tenantId: session.tenantId, actor: sessionActor(session), requestId: c.get('requestId') ?? '' });
    const page = route && known.get(`${route.method} ${route.path}`);
    if (route && !page) throw new Error(`the page ${route.path} states no scope`);
    if (page) requireScope(c, page.scope);
    if (isUnsafe(c.req.method) && !(page?.upload && isMultipart(c))) requireToken(c, (await readForm(c)).get('_csrf'));
    return next();
  };
}

/** @throws Problem 403 `form_token` unless `given` is the session's token */
export function requireToken(c: ConsoleContext, given: string): void {
  const wanted = Buffer.from(c.var.session.csrfToken);
  const got = Buffer.from(given);
  if (wanted.length !== got.length || !timingSafeEqual(wanted, got))
    throw new Problem(403, 'form_token', 'This form is from an earlier sign-in, so nothing was done. Go back, reload the page and try again.');
}

function toSignIn(c: ConsoleContext, deps: Deps, hadSession: boolean): Response {
  if (hadSession) clearSessionCookie(c, deps);
  const back = isUnsafe(c.req.method) || c.req.header('hx-request') ? '' : new URL(c.req.url).pathname + new URL(c.req.url).search;
  const target = `/sign-in?${new URLSearchParams({ ...(back && back !== '/' ? { next: back } : {}), ...(hadSession ? { ended: '1' } : {}) })}`.replace(
    /\?$/,
    '',
  );
  if (c.req.header('hx-request') || c.req.header('accept')?.includes('text/event-stream')) {
    c.header('hx-redirect', target);
    return c.body(null, 401);
  }
  return c.redirect(target, 303);
}

/** The address to go to after signing in: a path of this console, and '/' for anything else. */
export const safeNext = (next: string | undefined): string => (next && /^\/(?![/\\])[\x21-\x7e]*$/.test(next) && !next.includes('\\') ? next : '/');

/** @throws Problem 403 `not_allowed` when the role of this person does not cover `scope` */
export function requireScope(c: ConsoleContext, scope: Scope): void {
  if (!c.var.ctx.actor.scopes.has(scope))
    throw new Problem(
      403,
      'not_allowed',
      scope === 'operator'
        ? 'This concerns every organisation here: only an operator of the installation may do it.'
        : `Your role (${c.var.session.role}) does not allow this.`,
    );
}
