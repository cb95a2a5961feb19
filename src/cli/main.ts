import { createInterface } from 'node:readline/promises';
import { processEnvironment } from '#platform/config.ts';
import { run } from './run.ts';

const interrupted = new AbortController();
process.on('SIGINT', () => {
  // A second Ctrl-C ends the command at once.
  if (interrupted.signal.aborted) process.exit(130);
  interrupted.abort();
});
// It is no fault when a reader such as head has read enough.
process.stdout.on('error', (error: { code?: string }) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await run(process.argv.slice(2), {
  env: processEnvironment(),
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  stdin: process.stdin,
  columns: process.stdout.isTTY ? process.stdout.columns : undefined,
  ask: async (question) => {
    if (!process.stdin.isTTY) return undefined;
    const prompt = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await prompt.question(question, { signal: interrupted.signal });
    } finally {
      prompt.close();
    }
  },
  signal: interrupted.signal,
});
