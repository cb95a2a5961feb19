import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { encryptList } from './encrypt-list.ts';

// Linux schedules threads, and 0 is this one; elsewhere it is the process.
if (process.platform === 'linux' && typeof workerData === 'number') setPriority(0, workerData);

// A thread of `Encryption`: packed lists come, and go back encrypted.
parentPort?.on('message', (list: ArrayBuffer) => {
  encryptList(list);
  parentPort?.postMessage(list, [list]);
});
