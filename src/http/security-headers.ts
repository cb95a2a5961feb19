import type { MiddlewareHandler } from 'hono';
import type { AppEnv, Deps } from './env.ts';

/** Headers that every answer carries unless its route set its own. Pages set a Content-Security-Policy that lets their own style and script in. */
export function securityHeaders(deps: Pick<Deps, 'config'>): MiddlewareHandler<AppEnv> {
  const defaults: [string, string][] = [
    ['Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"],
    ['X-Content-Type-Options', 'nosniff'],
    ['X-Frame-Options', 'DENY'],
    ['Referrer-Policy', 'no-referrer'],
    ['Cross-Origin-Opener-Policy', 'same-origin'],
    ['Cross-Origin-Resource-Policy', 'same-origin'],
    ['Cache-Control', 'no-store'],
  ];
  if (deps.config.publicUrl.startsWith('https:')) defaults.push(['Strict-Transport-Security', 'max-age=31536000; includeSubDomains']);
  return async (c, next) => {
    await next();
    for (const [name, value] of defaults) if (!c.res.headers.has(name)) c.res.headers.set(name, value);
  };
}
