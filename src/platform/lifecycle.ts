import { ConfigError, environmentHelp, type Environment, processEnvironment } from './config.ts';
import type { Log } from './log.ts';

/** sysexits.h: the configuration is wrong. */
const EX_CONFIG = 78;

export interface RunningProcess {
  readonly log: Log;
  /** Stops taking work, finishes what has begun, closes connections. */
  close(): Promise<void>;
}

/**
 * Runs one process of the installation. It answers `--help`, checks the environment before anything listens (exit 78 with one
 * line for each variable), and ends in order on SIGTERM, on SIGINT or when the supervisor is gone.
 */
export async function runProcess(name: string, start: (env: Environment) => Promise<RunningProcess>): Promise<void> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(`muster ${name}\n\nEnvironment:\n${environmentHelp()}\n`);
    return;
  }
  // A supervisor that is killed while this process starts must not leave it behind for ever. Its pipe may be closed by now, in
  // which case `connected` is false (it is undefined where nobody supervises), or close before this process is ready.
  let orphaned = process.connected === false;
  let end = (_why: string): void => undefined;
  process.once('disconnect', () => {
    orphaned = true;
    end('supervisor gone');
  });
  let running: RunningProcess;
  try {
    running = await start(processEnvironment());
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const problem of error.problems) process.stderr.write(`${name}: ${problem}\n`);
      process.exit(EX_CONFIG);
    }
    process.stderr.write(`${name}: ${(error as Error).stack ?? String(error)}\n`);
    process.exit(1);
  }
  if (process.connected) process.send?.({ ready: true });
  let ending = false;
  end = (why: string): void => {
    if (ending) return;
    ending = true;
    running.log.info({ why }, 'ending');
    // The promise is 20 s; a little less leaves time for the log line.
    const late = setTimeout(() => {
      running.log.error('did not end in time');
      process.exit(1);
    }, 19_500);
    late.unref();
    running.close().then(
      () => process.exit(0),
      (error: unknown) => {
        running.log.error({ error: (error as Error).message }, 'ending failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => end('SIGTERM'));
  process.on('SIGINT', () => end('SIGINT'));
  // A supervisor that was killed cannot send a signal; its pipe closes instead.
  if (orphaned) end('supervisor gone');
}
