import { z } from '@hono/zod-openapi';
import { monotonicMs } from '#platform/clock.ts';
import { apiRoute, type ApiRouter } from '#http/api-router.ts';
import type { Deps } from '#http/env.ts';
import { type ProgressFrame, progressHub } from '#http/progress-hub.ts';
import { type EventText, eventStream, eventText } from '#http/sse.ts';
import { refusals } from '#http/view-schemas.ts';
import { messageParams } from './message-deliveries.ts';

/** A stream ends after this long and its reader comes back, so that a revoked key does not watch for ever. */
const LONGEST_MS = 30 * 60_000;

const route = apiRoute({
  method: 'get',
  path: '/messages/{id}/events',
  scope: 'read',
  tags: ['messages'],
  summary: 'The message as it changes, as server-sent events',
  description:
    'Each `message` event holds the same object as GET /v1/messages/{id}. At most four a second, and one every two seconds for a thousand watchers; the current state comes at once unless Last-Event-ID names it. A comment every 15 seconds keeps the line alive.',
  request: { params: messageParams, headers: z.object({ 'last-event-id': z.string().optional() }) },
  responses: { 200: { description: 'The stream.', content: { 'text/event-stream': { schema: z.string() } } }, ...refusals },
});

// A frame is encoded once for all its readers.
const texts = new WeakMap<ProgressFrame, EventText>();
function textOf(frame: ProgressFrame): EventText {
  const text = texts.get(frame) ?? eventText('message', frame.id, frame.json);
  texts.set(frame, text);
  return text;
}

export function registerEvents(routes: ApiRouter, deps: Deps): void {
  const hub = progressHub(deps);
  routes.openapi(route, (c) => {
    const seen = c.req.valid('header')['last-event-id'];
    const since = monotonicMs();
    return eventStream(c, (sink) =>
      hub.watch(c.var.ctx, c.req.valid('param').id, {
        frame: (frame) => {
          if (frame.id !== seen) sink.send(textOf(frame));
        },
        beat: () => (monotonicMs() - since > LONGEST_MS ? sink.end() : sink.beat()),
        end: () => sink.end(),
      }),
    );
  });
}
