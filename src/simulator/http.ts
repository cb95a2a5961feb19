import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';

/** A request whose body has arrived whole. */
export interface Request {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** `cut` tears the connection down, and `silent` sends nothing ever. */
export type Reply = Answer | 'cut' | 'silent';

/** This is larger than any message of the three channels, and small enough to hold in memory. */
const MAX_BODY_BYTES = 1_048_576;

export const json = (status: number, value: unknown, headers: Record<string, string> = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(value),
});

export const problem = (status: number, code: string, detail: string, extra: Record<string, unknown> = {}): Answer => ({
  status,
  headers: { 'content-type': 'application/problem+json' },
  body: JSON.stringify({ type: 'about:blank', title: detail, status, code, detail, ...extra }),
});

/** @returns the body, or undefined when it is larger than anybody may send */
export function readBody(message: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((done, fail) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    message.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
    });
    message.on('end', () => done(bytes > MAX_BODY_BYTES ? undefined : chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    message.on('error', fail);
  });
}

export function send(response: ServerResponse, reply: Reply): void {
  if (reply === 'silent') return;
  if (reply === 'cut') {
    response.socket?.destroy();
    return;
  }
  const body = reply.body ?? '';
  // Answers to pipelined calls that are released in one iteration of the event loop go out in one packet, since a write costs
  // 13 us.
  const { socket } = response;
  if (socket && !socket.writableCorked) {
    socket.cork();
    process.nextTick(() => socket.uncork());
  }
  response.writeHead(reply.status, { ...reply.headers, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
