import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import proxyaddr from 'proxy-addr';
import { clientIpOf } from '#http/client-ip.ts';
import type { AppEnv, Deps } from '#http/env.ts';
import type { Metrics } from '#http/metrics.ts';
import type { OpenApiDocument } from '#http/openapi.ts';
import { monotonicMs } from '#platform/clock.ts';
import { Problem } from '#platform/errors.ts';
import { checkStore } from '#services/upkeep/check-store.ts';
import { DOCS_STYLE_HASH, docsPage } from '#web/docs-page.ts';

/** What carries the nudges, as far as readiness looks at it. The queue of queue/queues.ts has this shape. */
export interface QueueHealth {
  readonly backend: 'redis' | 'postgres';
  health(): Promise<'up' | 'down'>;
}

export interface OpsExtras {
  metrics: Metrics;
  queue?: QueueHealth | undefined;
  /** It is called at its first use, when every route is there. */
  document: () => OpenApiDocument;
}

const STUCK_LOOP_MS = 1_000;
const STORE_DEADLINE_MS = 3_000;
/** The database is asked this often at most, however many probes come. */
const READY_FRESH_MS = 1_000;

const liveRoute = createRoute({
  method: 'get',
  path: '/livez',
  tags: ['operations'],
  summary: 'Whether the process itself works',
  responses: { 200: { description: 'It does.' }, 503: { description: 'Its event loop is stuck.' } },
});
const readyBody = z.object({ status: z.enum(['ready', 'degraded']), degraded: z.array(z.string()) });
const readyRoute = createRoute({
  method: 'get',
  path: '/readyz',
  tags: ['operations'],
  summary: 'Whether the process can take work',
  responses: {
    200: { description: 'It can; `degraded` names what is down and not needed.', content: { 'application/json': { schema: readyBody } } },
    503: { description: 'The database takes no writes.' },
  },
});
const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  tags: ['operations'],
  summary: 'Prometheus metrics; for private addresses only',
  responses: { 200: { description: 'Text format.', content: { 'text/plain': { schema: z.string() } } } },
});

/** Serves probes, metrics and the API's own description. None of them needs a key, and none tells of anybody. */
export function opsRoutes(deps: Deps, extras: OpsExtras): OpenAPIHono<AppEnv> {
  const routes = new OpenAPIHono<AppEnv>();
  const loop = monitorEventLoopDelay({ resolution: 20 });
  loop.enable();
  routes.openapi(liveRoute, (c) => {
    const lagMs = loop.percentile(99) / 1e6;
    loop.reset();
    if (lagMs > STUCK_LOOP_MS) throw new Problem(503, 'event_loop_stuck', 'The event loop waits longer than a second.');
    return c.json({ status: 'live' }, 200);
  });

  const degraded = once(READY_FRESH_MS, () => readiness(deps, extras.queue));
  routes.openapi(readyRoute, async (c) => {
    const names = await degraded();
    return c.json({ status: names.length > 0 ? ('degraded' as const) : ('ready' as const), degraded: names }, 200);
  });

  const clientIp = clientIpOf(deps.config.trustedProxies);
  const isPrivate = proxyaddr.compile(['loopback', 'linklocal', 'uniquelocal']);
  routes.openapi(metricsRoute, async (c) => {
    const ip = clientIp(c);
    if (ip !== 'unknown' && !isPrivate(ip, 0)) throw new Problem(404, 'not_found', 'There is nothing at this address.');
    const { type, text } = await extras.metrics.render();
    return c.text(text, 200, { 'Content-Type': type });
  });

  let document: OpenApiDocument | undefined;
  let page: ReturnType<typeof docsPage> | undefined;
  routes.get('/v1/openapi.json', (c) => {
    document ??= extras.document();
    return c.json(document, 200);
  });
  routes.get('/docs', (c) => {
    document ??= extras.document();
    page ??= docsPage(document);
    c.header('Content-Security-Policy', `default-src 'none'; style-src ${DOCS_STYLE_HASH}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`);
    return c.html(page, 200);
  });
  return routes;
}

async function readiness(deps: Deps, queue: QueueHealth | undefined): Promise<string[]> {
  const [{ restored }, health] = await Promise.all([deadline(checkStore(deps), STORE_DEADLINE_MS), queue?.health() ?? 'up']);
  // It serves nevertheless. A person must look at what the backup does not know, and release it.
  return [...(restored ? ['restored'] : []), ...(health === 'down' && queue ? [queue.backend === 'redis' ? 'redis' : 'queue'] : [])];
}

function deadline<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Problem(503, 'unavailable', 'The database does not answer.', { extra: { retryAfterSeconds: 2 } })), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Shares one call among all who ask within `freshMs`. */
function once<T>(freshMs: number, work: () => Promise<T>): () => Promise<T> {
  let last: { at: number; result: Promise<T> } | undefined;
  return () => {
    if (!last || monotonicMs() - last.at > freshMs) last = { at: monotonicMs(), result: work() };
    return last.result;
  };
}
