import { createRoute, OpenAPIHono } from '@hono/zod-openapi';
import { Problem } from '#platform/errors.ts';
import { receiveTwilioInbound } from '#services/inbound/receive-twilio-inbound.ts';
import type { AppEnv, Deps } from '#http/env.ts';
import { readForm } from '#http/public-page.ts';

const PATH = '/hooks/twilio/inbound';

const route = createRoute({
  method: 'post',
  path: PATH,
  tags: ['hooks'],
  summary: 'Inbound text from Twilio',
  description:
    'Signed by Twilio over the public URL and the form. Answers TwiML: empty, or one message back. The same MessageSid gets the same answer again and changes nothing.',
  responses: { 200: { description: 'TwiML.', content: { 'text/xml': {} } }, 403: { description: 'Forged, or of another account.' } },
});

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** TwiML with one message, or none: Twilio sends nothing back for an empty response. */
export const twiml = (text: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>${text === '' ? '<Response/>' : `<Response><Message>${text.replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c)}</Message></Response>`}`;

/** What people text to our numbers. */
export function twilioInboundRoutes(deps: Deps): OpenAPIHono<AppEnv> {
  const routes = new OpenAPIHono<AppEnv>();
  routes.openapi(route, async (c) => {
    if (!/^application\/x-www-form-urlencoded\b/i.test(c.req.header('content-type') ?? ''))
      throw new Problem(415, 'unsupported_media_type', 'Twilio sends application/x-www-form-urlencoded.');
    const { search } = new URL(c.req.url);
    const reply = await receiveTwilioInbound(deps, {
      url: `${deps.config.publicUrl}${PATH}${search}`,
      signature: c.req.header('x-twilio-signature'),
      params: Object.fromEntries(await readForm(c)),
    });
    return c.body(twiml(reply), 200, { 'Content-Type': 'text/xml; charset=utf-8' });
  });
  return routes;
}
