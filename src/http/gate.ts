import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { hashApiKey, looksLikeApiKey } from '#platform/api-key.ts';
import { Problem } from '#platform/errors.ts';
import { authenticateKey, type KeyHolder } from '#services/access/authenticate-key.ts';
import type { Actor, Scope } from '#services/context.ts';
import { neededScopes } from './api-router.ts';
import { clientIpOf, limitKey } from './client-ip.ts';
import type { AppEnv, Deps } from './env.ts';

/** How long a revoked key may still work in this process. */
const FRESH_MS = 5_000;
const KNOWN_KEYS_MAX = 10_000;
/** So many wrong keys may come from one address within a minute before it has to wait. */
const FAILURES_PER_MINUTE = 30;

interface Known {
  readonly holder: KeyHolder;
  readonly checkedAt: number;
}

/**
 * Lets a request to /v1 through with `c.var.ctx`, or refuses it: 401 without a valid key, 403 without the scope, 429
 * where an address keeps trying wrong keys. A key that worked here before is still looked up while its address is
 * limited, so that a neighbour's wrong keys do not shut out a coordinator.
 */
export function gate(deps: Deps, app: OpenAPIHono<AppEnv>): MiddlewareHandler<AppEnv> {
  const scopesOf = neededScopes(app);
  const clientIp = clientIpOf(deps.config.trustedProxies);
  const failures = new RateLimiterMemory({ points: FAILURES_PER_MINUTE, duration: 60 });
  const known = new Map<string, Known>();

  async function holderOf(key: string, limited: boolean): Promise<KeyHolder | undefined> {
    if (!looksLikeApiKey(key)) return undefined;
    const hash = hashApiKey(key).toString('base64');
    const seen = known.get(hash);
    const now = deps.clock.now();
    if (seen && now - seen.checkedAt < FRESH_MS) return seen.holder;
    if (limited && !seen) return undefined;
    const holder = await authenticateKey(deps, key);
    known.delete(hash);
    if (holder) {
      if (known.size >= KNOWN_KEYS_MAX) for (const oldest of known.keys()) if (known.delete(oldest)) break;
      known.set(hash, { holder, checkedAt: now });
    }
    return holder;
  }

  return async (c, next) => {
    const ip = limitKey(clientIp(c));
    const spent = await failures.get(ip);
    const limited = spent !== null && spent.consumedPoints >= FAILURES_PER_MINUTE;
    const key = /^Bearer +(\S+) *$/i.exec(c.req.header('authorization') ?? '')?.[1];
    const holder = key === undefined ? undefined : await holderOf(key, limited);
    if (!holder) {
      if (limited)
        throw new Problem(429, 'too_many_failures', 'Too many requests without a valid key came from this address.', {
          extra: { retryAfterSeconds: spent.msBeforeNext / 1000 },
        });
      if (key === undefined) throw new Problem(401, 'missing_api_key', 'Send your API key as "Authorization: Bearer mu_…".');
      // A missing header is a beginner's mistake and costs nothing; a wrong key is a guess.
      await failures.consume(ip).catch(() => undefined);
      throw new Problem(401, 'invalid_api_key', 'This API key is unknown, revoked, expired or a disabled person’s.');
    }
    const { tenantId, actor } = holder;
    requireOneOf(actor, scopesOf(c));
    c.set('ctx', { ...deps, tenantId, actor, requestId: c.get('requestId') });
    await next();
  };
}

/** Without a route nothing is needed: the request ends as a 404 or 405. */
function requireOneOf(actor: Actor, scopes: readonly Scope[] | undefined): void {
  if (scopes === undefined || actor.scopes.has('admin') || scopes.some((scope) => actor.scopes.has(scope))) return;
  throw new Problem(403, 'scope_missing', `This key may not do that; it needs the scope ${scopes.join(' or ')}.`, { extra: { scopes } });
}
