import type { Context as HonoContext, Hono } from 'hono';
import { clientIpOf, limitKey } from '#http/client-ip.ts';
import { csvResponse } from '#http/csv.ts';
import type { AppEnv, Deps } from '#http/env.ts';
import { type ProgressFrame, progressHub } from '#http/progress-hub.ts';
import { type EventSink, eventStream } from '#http/sse.ts';
import { isUnavailable } from '#platform/unavailable.ts';
import type { DeliveryView } from '#schemas/views.ts';
import { getMessage } from '#services/messages/get-message.ts';
import { type AnswerView, streamAnswers } from '#services/answers/list-answers.ts';
import { streamDeliveries } from '#services/delivery/list-deliveries.ts';
import { boardFrame } from '#web/console/messages/board-frame.ts';
import { createConsole } from '#web/console/console.ts';
import type { ConsoleContext } from '#web/console/shell/env.ts';
import { Pages } from '#web/console/shell/pages.ts';
import { deliveryState } from '#web/console/messages/list-pages.ts';

/**
 * A stream ends after this long and the page comes back for the next through the session guard: whoever was signed out
 * stops seeing, and a board that is watched counts as use, so that nobody is signed out in the middle of an incident.
 */
const LONGEST_MS = 10 * 60_000;

const encoder = new TextEncoder();
/** Makes an unnamed event, which the page swaps in. Each line of the text is a data line of its own. */
const eventOf = (id: string, text: string): Uint8Array =>
  encoder.encode(
    `id: ${id}\n${text
      .split('\n')
      .map((line) => `data: ${line}`)
      .join('\n')}\n\n`,
  );

/** Both kinds of context are the same object; the console's one knows the session besides. */
const asApp = (c: ConsoleContext): HonoContext<AppEnv> => c as unknown as HonoContext<AppEnv>;

/** Renders frames one after the other. If several come meanwhile, only the latest of them is shown. */
function renderer(c: ConsoleContext, sink: EventSink): (frame: ProgressFrame) => void {
  let next: ProgressFrame | undefined;
  let busy = false;
  const run = async (): Promise<void> => {
    busy = true;
    try {
      for (let frame = next; frame; frame = next) {
        next = undefined;
        sink.send(eventOf(frame.id, await boardFrame(c.var.ctx, frame.view, c.var.session)));
      }
    } catch (error) {
      // The page connects again by itself and then gets a whole frame.
      c.var.ctx.log.warn({ requestId: c.var.requestId, code: (error as { code?: string }).code }, 'a board could not be rendered');
      sink.end();
    } finally {
      busy = false;
    }
  };
  return (frame) => {
    next = frame;
    if (!busy) void run();
  };
}

function stream(deps: Deps) {
  return (c: ConsoleContext): Promise<Response> =>
    eventStream(asApp(c), async (sink) => {
      const render = renderer(c, sink);
      const leave = await progressHub(deps).watch(c.var.ctx, c.req.param('id') ?? '', { frame: render, beat: () => sink.beat(), end: () => sink.end() });
      const timer = setTimeout(() => sink.end(), LONGEST_MS).unref();
      return () => {
        clearTimeout(timer);
        leave();
      };
    });
}

const DELIVERY_COLUMNS = [
  ['recipient_id', (row: DeliveryView) => row.recipientId],
  ['name', (row: DeliveryView) => row.name],
  ['channel', (row: DeliveryView) => row.channel],
  ['state', (row: DeliveryView) => row.state],
  ['reason', (row: DeliveryView) => row.code],
  ['attempts', (row: DeliveryView) => row.attempts],
  ['sent_at', (row: DeliveryView) => row.markedAt],
  ['settled_at', (row: DeliveryView) => row.settledAt],
  ['doubt', (row: DeliveryView) => row.doubt],
] as const;

const ANSWER_COLUMNS = [
  ['recipient_id', (row: AnswerView) => row.recipientId],
  ['name', (row: AnswerView) => row.name],
  ['answer', (row: AnswerView) => row.key],
  ['first_at', (row: AnswerView) => row.firstAt],
  ['at', (row: AnswerView) => row.at],
  ['way', (row: AnswerView) => row.way],
  ['eta_at', (row: AnswerView) => row.etaAt],
  ['note', (row: AnswerView) => row.note],
] as const;

/** The console for coordinators: pages, their assets, the board's stream and its downloads. */
export function consoleRoutes(deps: Deps): Hono<AppEnv> {
  const ipOf = clientIpOf(deps.config.trustedProxies);
  const streams = new Pages()
    .get('/messages/:id/stream', 'read', stream(deps))
    .get('/messages/:id/deliveries.csv', 'read', async (c) => {
      const message = await getMessage(c.var.ctx, c.req.param('id'));
      const state = deliveryState(c.req.query('state'));
      return csvResponse(asApp(c), `${message.id}-${state ?? 'deliveries'}.csv`, DELIVERY_COLUMNS, streamDeliveries(c.var.ctx, message.id, { state }));
    })
    .get('/messages/:id/answers.csv', 'read', async (c) => {
      const message = await getMessage(c.var.ctx, c.req.param('id'));
      return csvResponse(asApp(c), `${message.id}-answers.csv`, ANSWER_COLUMNS, streamAnswers(c.var.ctx, message.id));
    });
  return createConsole({ deps, clientIp: (c) => limitKey(ipOf(asApp(c))), isUnavailable }, streams) as unknown as Hono<AppEnv>;
}
