import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';

/** What `npm run up` prints as its last line of starting. */
export interface Ready {
  console: string;
  api: string;
  apiKey: string;
  simulator: string;
}

/** One `npm run up` on a data folder. */
export class Up {
  readonly child: ChildProcess;
  output = '';
  constructor(folder: string, port: number, simulatorPort: number, extra: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [fileURLToPath(new URL('../up.ts', import.meta.url))], {
      env: { PATH: process.env['PATH'], MUSTER_DATA: folder, PORT: String(port), SIMULATOR_PORT: String(simulatorPort), ...extra },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
  }

  async ready(): Promise<Ready> {
    await vi.waitFor(() => expect(this.output).toMatch(/READY \{.*\}\n/), { timeout: 60_000, interval: 100 });
    return JSON.parse(this.output.slice(this.output.lastIndexOf('READY ') + 6)) as Ready;
  }

  async end(signal: 'SIGINT' | 'SIGTERM' = 'SIGINT'): Promise<{ code: number | null; ms: number }> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return { code: this.child.exitCode, ms: 0 };
    const from = performance.now();
    const code = await new Promise<number | null>((done) => {
      this.child.once('exit', done);
      this.child.kill(signal);
    });
    return { code, ms: performance.now() - from };
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

/** SIGKILL to the process whose command line has this part. */
export function killPart(folder: string, part: string): void {
  const found = processesOf(folder).find(({ command }) => command.includes(part));
  if (!found) throw new Error(`${part} does not run`);
  process.kill(found.pid, 'SIGKILL');
}
