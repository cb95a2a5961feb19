import { OpenAPIHono } from '@hono/zod-openapi';
import { createHash } from 'node:crypto';
import { publicFiles } from '#web/public/files.ts';
import type { AppEnv } from '#http/env.ts';

/** Serves service worker, share script, manifest and icon. Browsers ask each time whether they changed: no worker may stay old. */
export function publicAssets(): OpenAPIHono<AppEnv> {
  const routes = new OpenAPIHono<AppEnv>();
  for (const file of publicFiles()) {
    const etag = `"${createHash('sha256').update(file.text).digest('base64url').slice(0, 22)}"`;
    const headers = {
      ETag: etag,
      'Cache-Control': 'no-cache',
      'X-Content-Type-Options': 'nosniff',
      'Content-Type': file.type,
      'Content-Security-Policy': "default-src 'none'; connect-src 'self'",
    };
    routes.get(file.path, (c) => (c.req.header('if-none-match') === etag ? c.body(null, 304, headers) : c.body(file.text, 200, headers)));
  }
  return routes;
}
