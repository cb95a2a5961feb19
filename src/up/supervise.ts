import { monotonicMs } from '#platform/clock.ts';
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';

export interface ChildSpec {
  readonly name: string;
  readonly script: string;
  /** Options of Node itself. */
  readonly options?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFolder: string;
  /** Shows one plain line to the person at the terminal. */
  readonly say: (line: string) => void;
}

const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;
/** A process that ran this long was healthy, so its next failure starts from the short backoff again. */
const HEALTHY_MS = 60_000;

/** One process of the installation, which is started again with backoff when it dies. */
export class Supervised {
  readonly #spec: ChildSpec;
  #child: ChildProcess | undefined;
  #stopping = false;
  #backoff = FIRST_BACKOFF_MS;
  #timer: NodeJS.Timeout | undefined;
  readonly #ready = Promise.withResolvers<void>();
  #deaths = 0;

  constructor(spec: ChildSpec) {
    this.#spec = spec;
    this.#ready.promise.catch(() => undefined);
  }

  /** Resolves when the process says for the first time that it is ready; rejects when it dies three times before. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    const { name, script, options = [], env, logFolder, say } = this.#spec;
    const log = createWriteStream(join(logFolder, `${name}.log`), { flags: 'a', mode: 0o600 });
    const child = spawn(process.execPath, ['--enable-source-maps', ...options, script], {
      env,
      // The child has a process group of its own, since Ctrl-C must reach the supervisor alone, which ends all in order. The
      // IPC channel
      // closes when the supervisor is killed, and the child then ends itself.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    child.on('message', (message: { ready?: unknown }) => message.ready && this.#ready.resolve());
    const startedAt = monotonicMs();
    child.once('exit', (code, signal) => {
      log.end();
      this.#child = undefined;
      if (this.#stopping) return;
      if (monotonicMs() - startedAt > HEALTHY_MS) this.#backoff = FIRST_BACKOFF_MS;
      say(`${name} ended (${signal ?? `code ${code}`}); starting it again in ${this.#backoff / 1000} s. Its log: ${join(logFolder, `${name}.log`)}`);
      this.#deaths += 1;
      if (this.#deaths >= 3) this.#ready.reject(new Error(`${name} does not start; the reason is at the end of ${join(logFolder, `${name}.log`)}`));
      this.#timer = setTimeout(() => this.start(), this.#backoff);
      this.#backoff = Math.min(this.#backoff * 2, MAX_BACKOFF_MS);
    });
  }

  /** Sends SIGTERM, and SIGKILL after `deadlineMs`; resolves when the process is gone. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (!child) return;
    const ended = new Promise<void>((done) => child.once('exit', () => done()));
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    await ended;
    clearTimeout(kill);
  }
}
