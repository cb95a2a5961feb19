import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { encryptList } from './encrypt-list.ts';

// Linux schedules threads, and there 0 means this one. Elsewhere it would mean the process.
if (process.platform === 'linux' && typeof workerData === 'number') setPriority(0, workerData);

// This is a thread of `Encryption`: packed lists come, and go back encrypted.
parentPort?.on('message', (list: ArrayBuffer) => {
  encryptList(list);
  parentPort?.postMessage(list, [list]);
});
