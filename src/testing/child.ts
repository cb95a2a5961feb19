import type { ChildProcess } from 'node:child_process';

export const isRunning = (child: ChildProcess): boolean => child.pid !== undefined && child.exitCode === null && child.signalCode === null;

/** Resolves when the process has ended; at once where it had ended before. */
export const exited = (child: ChildProcess): Promise<void> => (isRunning(child) ? new Promise((done) => child.once('exit', () => done())) : Promise.resolve());

/** The next message of a forked process. @throws with `what` when the process ends instead */
export function nextMessage<T = unknown>(child: ChildProcess, what: string | (() => string)): Promise<T> {
  return new Promise((done, fail) => {
    const ended = (): void => fail(new Error(typeof what === 'string' ? what : what()));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      done(message as T);
    });
  });
}

/** Asks the process to end and kills it after `killAfterMs`, which fails its promise of an orderly end. @returns the milliseconds it took */
export async function endChild(
  child: ChildProcess,
  { signal = 'SIGTERM', killAfterMs = 25_000 }: { signal?: 'SIGTERM' | 'SIGINT'; killAfterMs?: number } = {},
): Promise<number> {
  if (!isRunning(child)) return 0;
  const started = performance.now();
  const gone = exited(child);
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  await gone;
  clearTimeout(timer);
  return performance.now() - started;
}

/** Kills the process and waits until it is gone. */
export async function killChild(child: ChildProcess, signal: 'SIGKILL' | 'SIGQUIT' = 'SIGKILL'): Promise<void> {
  if (!isRunning(child)) return;
  const gone = exited(child);
  child.kill(signal);
  await gone;
}
