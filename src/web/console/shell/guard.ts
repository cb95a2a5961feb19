import { timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import { Problem } from '#platform/errors.ts';
import type { Deps, Scope } from '#services/context.ts';
import { findSession, sessionActor } from '#services/access/sessions.ts';
import type { ConsoleContext, ConsoleEnv } from './env.ts';
import { readForm } from './form.ts';

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

/** Headers of every console page; on an unsafe method refuses what another site made the browser send. */
export function pageGuard(deps: Deps): MiddlewareHandler<ConsoleEnv> {
  return async (c, next) => {
    c.header('content-security-policy', CSP);
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    c.header('referrer-policy', 'same-origin');
    c.header('cache-control', 'no-store');
    c.header('x-content-type-options', 'nosniff');
    c.header('x-frame-options', 'DENY');
    c.header('cross-origin-opener-policy', 'same-origin');
    if (isUnsafe(c.req.method) && !isSameOrigin(c, deps))
      throw new Problem(403, 'foreign_origin', 'This form was not sent from this console, so nothing was done.');
    await next();
  };
}

/**
 * Browsers send Sec-Fetch-Site on https and on loopback, and Origin with every POST. Origin is compared with the public
 * address and with the Host that the browser itself believed it was talking to; a foreign page can set neither.
 */
function isSameOrigin(c: ConsoleContext, deps: Deps): boolean {
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = c.req.header('origin');
  if (origin === undefined || !URL.canParse(origin)) return false;
  const { host } = new URL(origin);
  return host === new URL(deps.config.publicUrl).host || host === (c.req.header('host') ?? new URL(c.req.url).host);
}

/** Lets in who is signed in, sets `ctx` and `session`, and holds every unsafe method to the session's form token. */
export function sessionGuard(deps: Deps): MiddlewareHandler<ConsoleEnv> {
  return async (c, next) => {
    const token = sessionToken(c, deps);
    const session = token === '' ? undefined : await findSession(deps, token);
    if (!session) return toSignIn(c, deps, token !== '');
    c.set('session', session);
    c.set('ctx', { ...deps, tenantId: session.tenantId, actor: sessionActor(session), requestId: c.get('requestId') ?? '' });
    // An upload is read as a stream; its handler checks the token that stands before the file.
    if (isUnsafe(c.req.method) && !isUpload(c)) requireToken(c, (await readForm(c)).get('_csrf'));
    return next();
  };
}

export const isUpload = (c: ConsoleContext): boolean => (c.req.header('content-type') ?? '').startsWith('multipart/');

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

/** Only a path of this console may be gone back to. */
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
