import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { endChild } from './child.ts';

/** What `npm run up` prints as its last line of starting. */
export interface Ready {
  console: string;
  api: string;
  apiKey: string;
  simulator: string;
}

/** What an installation may take to start on a busy machine, and to end before it is killed. */
const START_MS = 120_000;
const END_MS = 30_000;

/** One `npm run up` on a data folder. */
export class Up {
  readonly child: ChildProcess;
  output = '';
  readonly #listeners = new Set<() => void>();

  /** @param ownGroup keeps Ctrl-C from reaching it, so that the process which started it ends it in an order of its own */
  constructor(folder: string, port: number, simulatorPort: number, extra: Record<string, string> = {}, { ownGroup = false } = {}) {
    this.child = spawn(process.execPath, [fileURLToPath(new URL('../up.ts', import.meta.url))], {
      env: { PATH: process.env['PATH'], MUSTER_DATA: folder, PORT: String(port), SIMULATOR_PORT: String(simulatorPort), ...extra },
      detached: ownGroup,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        for (const look of this.#listeners) look();
      });
  }

  /**
   * Resolves with what it printed last while it started.
   * @throws with its output when it ends or takes longer than two minutes
   */
  async ready(): Promise<Ready> {
    const { promise, resolve, reject } = Promise.withResolvers<Ready>();
    const look = (): void => {
      const line = /READY (\{.*\})\n/.exec(this.output)?.[1];
      if (line !== undefined) resolve(JSON.parse(line) as Ready);
    };
    const ended = (code: number | null): void => reject(new Error(`the installation ended with ${code}:\n${this.output}`));
    const timer = setTimeout(() => reject(new Error(`the installation did not start within ${START_MS / 1000} s:\n${this.output}`)), START_MS);
    this.#listeners.add(look);
    this.child.once('exit', ended);
    look();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(look);
      this.child.off('exit', ended);
    }
  }

  /** A code of null says that it had to be killed, after 30 s. */
  async end(signal: 'SIGINT' | 'SIGTERM' = 'SIGINT'): Promise<{ code: number | null; ms: number }> {
    const ms = await endChild(this.child, { signal, killAfterMs: END_MS });
    return { code: this.child.exitCode, ms };
  }
}

/** Processes whose command line names the folder or whose environment has it as MUSTER_DATA. */
export function processesOf(folder: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
        return command.includes(`-D ${folder}/`) || environment.includes(`MUSTER_DATA=${folder}`) ? [{ pid: Number(pid), command }] : [];
      } catch {
        return [];
      }
    });
}

/** Sends SIGKILL to the process whose command line has this part. */
export function killPart(folder: string, part: string): void {
  const found = processesOf(folder).find(({ command }) => command.includes(part));
  if (!found) throw new Error(`${part} does not run`);
  process.kill(found.pid, 'SIGKILL');
}
