import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';

/** A server on 127.0.0.1 for a test to call. */
export interface Loopback {
  readonly port: number;
  close(): Promise<void>;
}

async function listen(server: Server): Promise<number> {
  const ready = Promise.withResolvers<void>();
  server.once('error', ready.reject);
  server.listen(0, '127.0.0.1', ready.resolve);
  await ready.promise;
  return (server.address() as AddressInfo).port;
}

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** Answers after the whole request was read; `requests` holds every one, body as latin1 so that bytes survive. */
export async function startHttp(
  answer: (request: SeenRequest, response: ServerResponse) => void,
): Promise<Loopback & { requests: SeenRequest[]; connections: () => number }> {
  const requests: SeenRequest[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    void text(request.setEncoding('latin1')).then((body) => {
      const seen = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
      requests.push(seen);
      answer(seen, response);
    });
  });
  server.on('connection', () => connections++);
  const port = await listen(server);
  return {
    port,
    requests,
    connections: () => connections,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** A bare TCP server, for everything that no well-behaved server does. */
export async function startTcp(onSocket: (socket: Socket) => void): Promise<Loopback> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  const port = await listen(server);
  return {
    port,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** A port that nothing listens on, since it was free a moment ago. */
export async function refusedPort(): Promise<number> {
  const server = await startTcp((socket) => socket.destroy());
  await server.close();
  return server.port;
}

/** What a scripted SMTP server says to each command; `null` cuts the connection, `''` says nothing. */
export interface SmtpScript {
  readonly greeting?: string | null;
  readonly EHLO?: string;
  readonly AUTH?: string;
  readonly MAIL?: string | null;
  readonly RCPT?: string | null;
  readonly DATA?: string | null;
  /** What it says after the final dot. */
  readonly end?: string | null;
  /** Number of bytes after DATA was allowed at which the server cuts the connection. */
  readonly cutBodyAfter?: number;
}

/** Speaks as much SMTP as a refusal needs. Every line that came, in order, is in `lines`. */
export async function startSmtp(script: SmtpScript): Promise<Loopback & { lines: string[]; connections: () => number }> {
  const lines: string[] = [];
  let connections = 0;
  const server = await startTcp((socket) => {
    connections++;
    let inBody = false;
    let bodyBytes = 0;
    let rest = '';
    const say = (words: string | null | undefined, otherwise: string): void => {
      if (words === null) socket.destroy();
      else if (words !== '') socket.write(`${words ?? otherwise}\r\n`);
    };
    say(script.greeting, '220 test ESMTP');
    const command = (line: string): void => {
      lines.push(line);
      const verb = line.split(/[ :]/, 1)[0]?.toUpperCase();
      if (inBody) {
        if (line === '.') {
          inBody = false;
          say(script.end, '250 2.0.0 Ok: queued as TEST1234');
        }
      } else if (verb === 'EHLO') say(script.EHLO, '250 test');
      else if (verb === 'AUTH') say(script.AUTH, '235 2.7.0 Ok');
      else if (verb === 'MAIL') say(script.MAIL, '250 2.1.0 Ok');
      else if (verb === 'RCPT') say(script.RCPT, '250 2.1.5 Ok');
      else if (verb === 'DATA') {
        inBody = (script.DATA ?? '354').startsWith('3');
        say(script.DATA, '354 Go on');
      } else if (verb === 'STARTTLS') say('502 5.5.1 Not here', '');
      else if (verb === 'QUIT') socket.end('221 Bye\r\n');
      else say(undefined, '250 Ok');
    };
    socket.on('data', (chunk) => {
      if (inBody && script.cutBodyAfter !== undefined) {
        bodyBytes += chunk.length;
        if (bodyBytes >= script.cutBodyAfter) socket.destroy();
        return;
      }
      rest += chunk.toString('latin1');
      const whole = rest.split('\r\n');
      rest = whole.pop() ?? '';
      for (const line of whole) command(line);
    });
  });
  return { ...server, lines, connections: () => connections };
}
