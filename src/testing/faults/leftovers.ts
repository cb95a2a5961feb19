type Close = () => Promise<void>;

const open = new Set<Close>();
let over = false;

/** Notes what must be ended when the runner itself is told to end. @returns takes it off the list again */
export function endsWithRunner(close: Close): () => void {
  open.add(close);
  return () => void open.delete(close);
}

/** True once the runner was told to end: nothing new may be started. */
export const isOver = (): boolean => over;

/** Never resolves once the runner was told to end: its handler exits. */
export const unlessOver = (): Promise<void> => (over ? new Promise(() => undefined) : Promise.resolve());

/** Ends servers, processes and mounts, the newest first; what fails does not keep the others. */
export async function endEverything(): Promise<void> {
  over = true;
  for (const close of [...open].reverse()) await close().catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
}

/** Ctrl-C and `kill` end what the runner has started; a second one ends the runner alone. */
export function endOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      // Connections break while their servers are ended; what matters is that all of them are.
      process.on('uncaughtException', () => undefined);
      process.stderr.write(`${signal}: ending servers and processes\n`);
      void endEverything().then(() => process.exit(signal === 'SIGINT' ? 130 : 143));
    });
}
