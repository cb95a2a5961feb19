import { type ChildProcess, fork, spawn, type StdioOptions } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endChild } from '#testing/child.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Path of a program: the first of the usual places that has it. Servers live in sbin, which is not on everybody's PATH. */
export function findProgram(name: string): string | undefined {
  const folders = ['/usr/sbin', '/usr/local/sbin', ...(process.env['PATH'] ?? '').split(':'), '/opt/homebrew/bin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Everything that was started here and how it is ended, so that nothing outlives the run. */
const running = new Map<ChildProcess, () => Promise<unknown>>();
/** What a carrier or a contestant may take to end. */
const KILL_AFTER_MS = 15_000;
let guard: ChildProcess | undefined;

/**
 * Starts a process that ends what we started when we are killed with SIGKILL: it is told each pid, and notices our end when
 * its channel closes. Our Node children notice it the same way by themselves.
 * @param folder folder of this run, which the guard removes when we cannot
 */
export function startGuard(folder: string): void {
  guard = fork(join(ROOT, 'load-tests/bench/guard.ts'), [folder], { detached: true, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  guard.unref();
  guard.channel?.unref();
}

/** @param marker part of the command line, by which the guard knows that the pid is still ours */
export function guardPid(pid: number | undefined, marker: string): void {
  if (pid !== undefined && guard?.connected) guard.send({ pid, marker });
}

/** Makes `endAll` end a process that was started elsewhere. */
export function onEndAll(child: ChildProcess, end: () => Promise<unknown>): void {
  running.set(child, end);
  child.once('exit', () => running.delete(child));
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** File that the output is appended to; without it the output is dropped. */
  readonly logFile?: string;
  readonly marker?: string;
  readonly stdout?: number;
}

export function startProgram(path: string, args: readonly string[], options: StartOptions = {}): ChildProcess {
  const log = options.logFile === undefined ? 'ignore' : openSync(options.logFile, 'a');
  const stdio: StdioOptions = ['ignore', options.stdout ?? log, log];
  const child = spawn(path, [...args], {
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    stdio,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  onEndAll(child, () => endChild(child, { killAfterMs: KILL_AFTER_MS }));
  guardPid(child.pid, options.marker ?? path);
  return child;
}

/** Starts a Node process of ours with a channel, by which it notices our end. */
export function startNode(script: string, args: readonly string[], options: StartOptions & { execArgv?: readonly string[] } = {}): ChildProcess {
  const log = options.logFile === undefined ? 'inherit' : openSync(options.logFile, 'a');
  const child = fork(join(ROOT, script), [...args], {
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    execArgv: [...(options.execArgv ?? [])],
    stdio: ['ignore', log === 'inherit' ? 'ignore' : log, log, 'ipc'],
  });
  onEndAll(child, () => endChild(child, { killAfterMs: KILL_AFTER_MS }));
  return child;
}

/** Ends everything, the newest first, so that a database ends after the processes that use it. */
export async function endAll(): Promise<void> {
  for (const [child, end] of [...running].reverse()) {
    running.delete(child);
    await end().catch(() => child.kill('SIGKILL'));
  }
  guard?.kill('SIGTERM');
}

/** USER_HZ is 100 on every Linux that Node supports, whatever the kernel's own tick is. */
const TICK_MS = 10;

const statOf = (pid: number | string): string[] | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
};

/** User and system time of all threads of a process so far, in ms; NaN where there is no /proc. */
export function cpuMs(pid: number | undefined): number {
  const fields = pid === undefined ? undefined : statOf(pid);
  return fields ? (Number(fields[11]) + Number(fields[12])) * TICK_MS : Number.NaN;
}

/** Resident memory in MiB; NaN where there is no /proc. */
export function rssMb(pid: number | undefined): number {
  try {
    const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kb === undefined ? Number.NaN : Number(kb) / 1024;
  } catch {
    return Number.NaN;
  }
}

/** Watches resident memory until stopped. */
export function watchRss(pid: number | undefined): { stop(): { peakMb: number; samples: number[] } } {
  const samples = [rssMb(pid)];
  const timer = setInterval(() => samples.push(rssMb(pid)), 100);
  return {
    stop: () => {
      clearInterval(timer);
      samples.push(rssMb(pid));
      const known = samples.filter((mb) => !Number.isNaN(mb));
      return { peakMb: known.length > 0 ? Math.max(...known) : Number.NaN, samples: known };
    },
  };
}
