import type { MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { randomUUID } from 'node:crypto';
import { monotonicMs } from '#platform/clock.ts';
import { unredacted } from '#platform/log.ts';
import type { AppEnv, Deps } from './env.ts';
import { isWhole } from './security-headers.ts';

/** Hears of every answer, for the metrics. `route` is the pattern (`/r/:token`), never the address. */
export type Observe = (route: string, method: string, status: number, seconds: number) => void;

const QUIET = new Set(['/livez', '/readyz', '/metrics']);
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/**
 * Gives every request an id (the caller's X-Request-Id where it is sane), answers with it, and writes one line with
 * the route's pattern, since an address may hold a token and a query an e-mail address.
 */
export function requestLog(deps: Pick<Deps, 'log'>, observe?: Observe): MiddlewareHandler<AppEnv> {
  const log = unredacted(deps.log);
  return async (c, next) => {
    const given = c.req.header('x-request-id');
    const requestId = given !== undefined && /^[\w.-]{1,128}$/.test(given) ? given : randomUUID();
    c.set('requestId', requestId);
    const started = monotonicMs();
    await next();
    if (!isWhole(c.res)) c.res.headers.set('X-Request-Id', requestId);
    const ms = monotonicMs() - started;
    const route = matchedRoutes(c).findLast((one) => one.path !== '/*' && !one.path.endsWith('/*'))?.path ?? 'none';
    // A made-up method would otherwise become a label of its own.
    const method = METHODS.has(c.req.method) ? c.req.method : 'OTHER';
    observe?.(route, method, c.res.status, ms / 1000);
    const line = {
      requestId,
      method,
      route,
      status: c.res.status,
      ms: Math.round(ms * 10) / 10,
      tenantId: (c.get('ctx') as { tenantId?: number } | undefined)?.tenantId,
    };
    log[QUIET.has(route) ? 'trace' : 'info'](line, 'request');
  };
}
