type Close = () => Promise<void>;

const open = new Set<Close>();
let over = false;

/** Registers what must be ended when the runner itself is told to end. @returns takes it off the list again */
export function endsWithRunner(close: Close): () => void {
  open.add(close);
  return () => void open.delete(close);
}

/** True once the runner was told to end, after which nothing new may be started. */
export const isOver = (): boolean => over;

/** Never resolves once the runner was told to end, since the handler of the signal exits. */
export const unlessOver = (): Promise<void> => (over ? new Promise(() => undefined) : Promise.resolve());

/** Ends servers, processes and mounts, the newest first; one that cannot be ended does not stop the others. */
export async function endEverything(): Promise<void> {
  over = true;
  for (const close of [...open].reverse()) await close().catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
}

/** Makes Ctrl-C and `kill` end what the runner has started; a second signal ends the runner alone. */
export function endOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      // Connections break while their servers are ended, and their errors must not keep the rest from being ended.
      process.on('uncaughtException', () => undefined);
      process.stderr.write(`${signal}: ending servers and processes\n`);
      void endEverything().then(() => process.exit(signal === 'SIGINT' ? 130 : 143));
    });
}
