import type { Env, Context as HonoContext } from 'hono';

/** One open event stream. A reader who is too slow gets the latest event and not all of them. */
export interface EventSink {
  send(event: EventText): void;
  /** Sends a comment line, which keeps the connection alive and is no event. */
  beat(): void;
  end(): void;
}

/** An event in its wire form (HTML, section 9.2.6). It is made once for all readers. */
export type EventText = Uint8Array & { readonly __event?: never };

const encoder = new TextEncoder();
const BEAT = encoder.encode(':\n\n');

/** `data` must hold no line break, as JSON.stringify makes it. */
export const eventText = (event: string, id: string, data: string): EventText => encoder.encode(`event: ${event}\nid: ${id}\ndata: ${data}\n\n`);

/**
 * Answers with server-sent events. `attach` gets the sink and returns what to do when the reader has gone.
 * Each reader takes the memory of two events, however slow they are: one is in the stream's queue, and one waits.
 */
export function eventStream<E extends Env>(c: HonoContext<E>, attach: (sink: EventSink) => Promise<() => void>): Promise<Response> {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let waiting: Uint8Array | undefined;
  let open = true;
  let detach: (() => void) | undefined;
  const leave = (): void => {
    open = false;
    waiting = undefined;
    detach?.();
    detach = undefined;
  };
  const put = (bytes: Uint8Array, replace: boolean): void => {
    if (!open || !controller) return;
    if ((controller.desiredSize ?? 0) > 0 && waiting === undefined) controller.enqueue(bytes);
    else if (replace) waiting = bytes;
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      start(made) {
        controller = made;
        made.enqueue(encoder.encode('retry: 2000\n\n'));
      },
      pull(made) {
        if (waiting === undefined) return;
        made.enqueue(waiting);
        waiting = undefined;
      },
      cancel: leave,
    },
    // The opening line and the first event are taken before anybody reads.
    { highWaterMark: 2 },
  );
  const sink: EventSink = {
    send: (event) => put(event, true),
    beat: () => put(BEAT, false),
    end: () => {
      if (!open) return;
      if (waiting !== undefined) controller?.enqueue(waiting);
      leave();
      controller?.close();
    },
  };
  return attach(sink).then((left) => {
    if (open) detach = left;
    else left();
    c.req.raw.signal.addEventListener('abort', leave, { once: true });
    return c.body(stream, 200, { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
  });
}
