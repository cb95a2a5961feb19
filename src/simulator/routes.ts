import type { IncomingMessage, RequestListener } from 'node:http';
import { controlApi, textSchema } from './control-api.ts';
import { json, problem, readBody, type Reply, type Request, send } from './http.ts';
import { frontPage, personPage, textSent } from './pages/people-pages.ts';
import type { PushService } from './push/push-service.ts';
import type { Controls } from './controls.ts';
import type { TwilioApi } from './twilio/twilio-api.ts';
import type { World } from './world.ts';

export interface Parts {
  readonly world: World;
  readonly twilio: TwilioApi;
  readonly push: PushService;
  readonly controls: Controls;
}

/**
 * The one HTTP server of the simulated carriers. It is written on node:http alone, since it must be faster than what it
 * measures.
 */
export function requestListener(parts: Parts): RequestListener {
  return (message, response) => {
    void (async () => {
      try {
        const body = await readBody(message);
        send(response, body ? await route(parts, requestOf(message, body)) : problem(413, 'too_large', 'The body is larger than 1 MB.'));
      } catch (error) {
        // A client may leave early; every other error is a fault of ours, and the call is not accepted.
        if (message.destroyed && !message.complete) return;
        parts.world.log.error({ err: error }, 'a request failed');
        if (!response.headersSent) send(response, problem(500, 'internal', 'The simulator failed.'));
      }
    })();
  };
}

function requestOf(message: IncomingMessage, body: Buffer): Request {
  const target = message.url ?? '/';
  const mark = target.indexOf('?');
  return {
    method: message.method ?? 'GET',
    path: mark === -1 ? target : target.slice(0, mark),
    query: new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1)),
    headers: message.headers,
    body,
  };
}

function route(parts: Parts, request: Request): Reply | Promise<Reply> {
  const { path } = request;
  if (path.startsWith('/2010-04-01/')) return parts.twilio.handle(request);
  if (path.startsWith('/push/')) return parts.push.handle(path.slice('/push/'.length), request);
  if (path === '/livez') return json(200, { status: 'ok' });
  if (path === '/control' || path.startsWith('/control/')) return fromElsewhere(request) ? forbidden : controlApi(parts.controls, request);
  return pages(parts, request);
}

async function pages({ world, controls }: Parts, request: Request): Promise<Reply> {
  if (request.path === '/text' && request.method === 'POST') return writeAs(controls, request);
  if (request.method !== 'GET') return problem(405, 'method_not_allowed', 'Only GET here.');
  if (request.path === '/') return frontPage(world.outbox, world.calls.latest(50).reverse(), world.calls.count);
  const address = /^\/person\/([^/]+)$/.exec(request.path)?.[1];
  return address === undefined ? problem(404, 'not_found', 'No such page.') : personPage(world.outbox, decodeURIComponent(address));
}

async function writeAs(controls: Controls, request: Request): Promise<Reply> {
  if (fromElsewhere(request)) return forbidden;
  const text = textSchema.safeParse(Object.fromEntries(new URLSearchParams(request.body.toString('utf8'))));
  if (!text.success) return problem(422, 'invalid', text.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
  return textSent(text.data.from, await controls.text(text.data));
}

const forbidden = problem(403, 'cross_site', 'Another site may not do this.');

/** A form of another website, open in the browser of a person who tries Muster, must not write messages here. */
const fromElsewhere = ({ headers, method }: Request): boolean => method !== 'GET' && /^(cross-site|same-site)$/.test(String(headers['sec-fetch-site'] ?? ''));
