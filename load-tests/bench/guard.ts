import { readFileSync, rmSync } from 'node:fs';

// Started by the benchmark: when that is gone without a word, ends the servers that it had started.
const watched: { pid: number; marker: string }[] = [];

process.on('message', (message: { pid: number; marker: string }) => watched.push(message));
process.on('disconnect', () => {
  for (const { pid, marker } of watched.reverse()) {
    try {
      // A pid may have been given to somebody else meanwhile.
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(marker)) process.kill(pid, 'SIGTERM');
    } catch {
      // Gone already.
    }
  }
  // They write a last time while they end.
  setTimeout(() => rmSync(process.argv[2] ?? '', { recursive: true, force: true }), 5_000);
});
