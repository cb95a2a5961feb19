import type { OpenAPIHono } from '@hono/zod-openapi';
import type { AppEnv } from './env.ts';

export type OpenApiDocument = ReturnType<OpenAPIHono<AppEnv>['getOpenAPI31Document']>;

/** Makes the OpenAPI 3.1 document of all routes of the app. schemas/openapi.json is this document, committed. */
export function openApiDocument(app: OpenAPIHono<AppEnv>): OpenApiDocument {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Muster',
      version: '1',
      description:
        'One short message to many people at once over web push, SMS and e-mail; who was reached, who answered, how far it spread. Errors are application/problem+json (RFC 9457) with a stable `code`; unknown fields are refused; every POST under /v1 honours Idempotency-Key.',
    },
    servers: [{ url: '/' }],
  });
  document.components = {
    ...document.components,
    securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'An API key, mu_live_… or mu_test_…' } },
  };
  for (const [path, item] of Object.entries(document.paths ?? {}))
    if (path.startsWith('/v1/'))
      for (const method of ['get', 'post', 'put', 'patch', 'delete'] as const) if (item?.[method]) item[method].security = [{ apiKey: [] }];
  return document;
}
