import { parentPort } from 'node:worker_threads';
import { encryptList } from './encrypt-list.ts';

// A thread of `Encryption`: packed lists come, and go back encrypted.
parentPort?.on('message', (list: ArrayBuffer) => {
  encryptList(list);
  parentPort?.postMessage(list, [list]);
});
