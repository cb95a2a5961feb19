import type { MiddlewareHandler } from 'hono';
import { Problem } from '#platform/errors.ts';
import type { AppEnv } from './env.ts';

const MB = 1024 * 1024;
/** A list of 10,000 ids in an audience takes 280 kB; nothing else in JSON comes near. */
const LIMIT_BYTES = MB;
/** A real national alert is 882 kB of polygons. */
const CAP_LIMIT_BYTES = 2 * MB;

/** Whether the handler of this address reads the body as it comes, whatever its size. */
export const isStreamedPath = (path: string): boolean => path === '/v1/recipients/import' || path === '/people/import';

function limitOf(path: string): number | undefined {
  if (isStreamedPath(path)) return undefined;
  return path === '/v1/cap' ? CAP_LIMIT_BYTES : LIMIT_BYTES;
}

const tooLarge = (limit: number): Problem =>
  new Problem(413, 'body_too_large', `The body is larger than the ${limit} bytes taken here.`, { extra: { limitBytes: limit } });

/**
 * Refuses bodies that are too large without reading them whole. Where there is a Content-Length it decides, since Node's
 * parser holds the sender to it; otherwise the bytes are counted as they arrive.
 */
export function bodyLimit(): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const limit = c.req.method === 'GET' || c.req.method === 'HEAD' ? undefined : limitOf(c.req.path);
    if (limit === undefined) return next();
    const declared = c.req.header('content-length');
    if (declared !== undefined && c.req.header('transfer-encoding') === undefined) {
      if (!(Number(declared) <= limit)) throw tooLarge(limit);
      return next();
    }
    if (c.req.raw.body) c.req.raw = new Request(c.req.raw, { body: counted(c.req.raw.body, limit), duplex: 'half' } as RequestInit);
    return next();
  };
}

function counted(body: ReadableStream<Uint8Array>, limit: number): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let bytes = 0;
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (done) return controller.close();
      bytes += value.byteLength;
      if (bytes > limit) {
        controller.error(tooLarge(limit));
        // This is not awaited, since in some runtimes cancelling waits for the sender.
        reader.cancel().catch(() => undefined);
        return;
      }
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
