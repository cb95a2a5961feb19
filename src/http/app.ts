import { OpenAPIHono } from '@hono/zod-openapi';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { bodyLimit } from './body-limit.ts';
import type { Hook } from '#domain/delivery/hook.ts';
import type { PublicDeps } from '#services/spread/join-by-mail.ts';
import type { AppEnv } from './env.ts';
import { gate } from './gate.ts';
import { idempotency } from './idempotency.ts';
import { errorHandler, methodNotAllowedHandler, notFoundHandler, validationHook } from './problem.ts';
import { createMetrics } from './metrics.ts';
import { openApiDocument } from './openapi.ts';
import { requestLog } from './request-log.ts';
import { audiencesRoutes } from './routes/audiences.ts';
import { capRoutes } from './routes/cap.ts';
import { consoleRoutes } from './routes/console.ts';
import { hooksRoutes } from './routes/hooks.ts';
import { messagesRoutes } from './routes/messages.ts';
import { opsRoutes, type QueueHealth } from './routes/ops.ts';
import { recipientsRoutes } from './routes/recipients.ts';
import { respondRoutes } from './routes/respond.ts';
import { responsesRoutes } from './routes/responses.ts';
import { settingsRoutes } from './routes/settings.ts';
import { shareRoutes } from './routes/share.ts';
import { unsubscribeRoutes } from './routes/unsubscribe.ts';
import { securityHeaders } from './security-headers.ts';

export interface AppExtras {
  /** What carries the nudges, for /readyz to look at. */
  queue?: QueueHealth;
  /** What carriers may call. */
  hooks?: readonly Hook[];
}

/**
 * The whole HTTP surface: API, hooks, public pages, console and operations. Route files under /v1 write their paths
 * without the prefix, state the scope that each needs and find their Context in `c.var.ctx`; all others write full paths.
 */
export function createApp(deps: PublicDeps, extras: AppExtras = {}): OpenAPIHono<AppEnv> {
  const app = new OpenAPIHono<AppEnv>({ defaultHook: validationHook });
  app.onError(errorHandler(deps));
  app.notFound(notFoundHandler(deps));
  const metrics = createMetrics(deps);
  app.use(requestLog(deps, metrics.observe), securityHeaders(deps), methodNotAllowed({ app, onMethodNotAllowed: methodNotAllowedHandler(deps) }), bodyLimit());
  // These routes come before the gate, since the description of the API needs no key.
  app.route('/', opsRoutes(deps, { metrics, queue: extras.queue, document: () => openApiDocument(app) }));
  app.use('/v1/*', gate(deps, app), idempotency());
  for (const routes of [messagesRoutes, recipientsRoutes, audiencesRoutes, responsesRoutes, capRoutes, settingsRoutes]) routes(deps).mountOn(app);
  app.route('/', hooksRoutes(deps, extras.hooks ?? []));
  for (const routes of [respondRoutes, shareRoutes, unsubscribeRoutes]) app.route('/', routes(deps));
  app.route('/', consoleRoutes(deps));
  return app;
}
