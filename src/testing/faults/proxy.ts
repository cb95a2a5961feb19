import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

export interface Proxy {
  readonly url: string;
  /** Connections that were cut on purpose. */
  cuts(): number;
  /** Ends every connection and refuses new ones, until `mend` is called. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export interface ProxyOptions {
  /** Ports for the next connection, which are tried in order until one accepts, as a load balancer does. */
  readonly targets: () => readonly number[];
  /** Is asked at each answer's first bytes. True cuts the connection instead, so that the request is done and its answer lost. */
  readonly cutsAnswer?: () => boolean;
  /** Connections that the kernel accepts while this process does not. */
  readonly backlog?: number;
}

/** Address of the same database or server by way of the proxy. */
export function throughProxy(url: string, proxy: Proxy): string {
  const changed = new URL(url);
  changed.port = new URL(proxy.url).port;
  return changed.href;
}

/** A TCP proxy that loses answers of the API, spreads connections over several processes, or cuts one off from its database. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  let cuts = 0;
  let severed = false;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    if (severed) return void client.resetAndDestroy();
    open.add(client);
    client.on('error', () => undefined);
    client.once('close', () => open.delete(client));
    const dial = ([port, ...others]: readonly number[]): void => {
      if (port === undefined) return void client.destroy();
      const upstream = connect(port, '127.0.0.1');
      upstream.once('error', () => (upstream.connecting || upstream.bytesRead === 0 ? dial(others) : client.destroy()));
      upstream.once('connect', () => {
        upstream.removeAllListeners('error');
        upstream.on('error', () => client.destroy());
        upstream.once('close', () => client.destroySoon());
        client.once('close', () => upstream.destroy());
        upstream.on('data', (chunk) => {
          if (options.cutsAnswer?.() && chunk.toString('latin1', 0, 5) === 'HTTP/') {
            cuts += 1;
            client.resetAndDestroy();
            upstream.destroy();
          } else client.write(chunk);
        });
        client.pipe(upstream);
      });
    };
    dial(options.targets());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', options.backlog ?? 511, done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts: () => cuts,
    cut: () => {
      severed = true;
      for (const socket of open) socket.resetAndDestroy();
    },
    mend: () => {
      severed = false;
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        for (const socket of open) socket.destroy();
      }),
  };
}
