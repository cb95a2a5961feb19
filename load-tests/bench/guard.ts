import { readFileSync, rmSync } from 'node:fs';

// The benchmark starts this process, which ends the benchmark's servers when the benchmark is gone without ending them.
const watched: { pid: number; marker: string }[] = [];

process.on('message', (message: { pid: number; marker: string }) => watched.push(message));
process.on('disconnect', () => {
  for (const { pid, marker } of watched.reverse()) {
    try {
      // The system may have given the pid to another process meanwhile.
      if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(marker)) process.kill(pid, 'SIGTERM');
    } catch {
      // The process is gone already.
    }
  }
  // The servers write to the folder once more while they end.
  setTimeout(() => rmSync(process.argv[2] ?? '', { recursive: true, force: true }), 5_000);
});
