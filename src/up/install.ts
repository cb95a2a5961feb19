import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '#db/server/embedded-postgres.ts';
import { Incarnation, placeOf } from '#db/server/incarnation.ts';
import type { Log } from '#platform/log.ts';
import { setTimeout as delay } from 'node:timers/promises';

export const freePort = (): Promise<number> =>
  new Promise((done, fail) => {
    const server = createServer();
    server.once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address && typeof address === 'object' ? done(address.port) : fail(new Error('no free port'))));
    });
  });

/** The embedded database, started again (on the same port) when it dies, until `stop`. */
export class SupervisedPostgres {
  readonly #folder: string;
  readonly #say: (line: string) => void;
  #server: EmbeddedPostgres | undefined;
  #port = 0;
  #stopping = false;

  constructor(folder: string, say: (line: string) => void) {
    this.#folder = folder;
    this.#say = say;
  }

  get pid(): number | undefined {
    return this.#server?.process.pid;
  }

  /** Of its files: see `placeOf`. */
  get place(): string {
    return placeOf(this.#server?.folder ?? this.#folder);
  }

  async start(): Promise<EmbeddedPostgres> {
    mkdirSync(this.#folder, { recursive: true });
    this.#port ||= await freePort();
    const server = await startEmbeddedPostgres({ folder: this.#folder, port: this.#port, onNotice: this.#say });
    this.#server = server;
    server.process.once('exit', (code, signal) => {
      if (this.#stopping) return;
      this.#say(`postgres ended (${signal ?? `code ${code}`}); starting it again`);
      void this.#again();
    });
    return server;
  }

  async #again(): Promise<void> {
    for (let wait = 500; !this.#stopping; wait = Math.min(wait * 2, 10_000)) {
      await delay(wait);
      try {
        await this.start();
        return;
      } catch (error) {
        this.#say(`postgres could not be started: ${(error as Error).message}`);
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#server?.stop();
  }
}

/** Before anything of the installation starts: a data folder that was copied or restored must not send what was sent since. */
export async function admitPlace(databaseUrl: string, place: string, folder: string, log: Log): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await new Incarnation(folder, log).admitPlace(client, place);
  } finally {
    await client.end();
  }
}
