import { createRoute, OpenAPIHono, z } from '@hono/zod-openapi';
import type { AppEnv, Deps } from '#http/env.ts';
import { readText } from '#http/public-page.ts';
import { defaultHeaders, wholeResponse } from '#http/security-headers.ts';
import { Problem } from '#platform/errors.ts';
import { receiveTwilioStatus } from '#services/receipts/receive-twilio-status.ts';

const route = createRoute({
  method: 'post',
  path: '/hooks/twilio/status/{ref}',
  tags: ['hooks'],
  summary: 'Status callback of Twilio',
  description:
    'Signed by Twilio over the public URL and the form. 204 only after the receipt is committed; 403 for a forged one, 404 for a reference that names no delivery.',
  request: { params: z.object({ ref: z.string() }) },
  responses: { 204: { description: 'Committed.' }, 403: { description: 'Forged, or of another account.' }, 404: { description: 'No such delivery.' } },
});

/** What carriers call to tell how an SMS went. */
export function hooksStatusRoutes(deps: Deps): OpenAPIHono<AppEnv> {
  const routes = new OpenAPIHono<AppEnv>();
  const headers = defaultHeaders(deps);
  routes.openapi(route, async (c) => {
    const type = c.req.header('content-type') ?? '';
    if (!/^application\/x-www-form-urlencoded\b/i.test(type))
      throw new Problem(415, 'unsupported_media_type', 'Twilio sends application/x-www-form-urlencoded.');
    // A field sent twice would be signed one way and read another; Twilio sends none twice.
    const fields = new URLSearchParams(await readText(c));
    const params = Object.fromEntries(fields);
    if ([...fields.keys()].length !== Object.keys(params).length) throw new Problem(403, 'bad_signature', 'A field is there twice.');
    const { ref } = c.req.valid('param');
    const { search } = new URL(c.req.url);
    await receiveTwilioStatus(deps, {
      token: ref,
      url: `${deps.config.publicUrl}/hooks/twilio/status/${ref}${search}`,
      signature: c.req.header('x-twilio-signature'),
      params,
    });
    return wholeResponse(null, 204, { ...headers, 'X-Request-Id': c.get('requestId') });
  });
  return routes;
}
