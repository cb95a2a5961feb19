import { parentPort } from 'node:worker_threads';
import { encrypt, type Recipient } from './encrypt.ts';

export interface EncryptJob {
  readonly payload: Uint8Array;
  readonly recipient: Recipient;
}

// A thread of `Encryption`: a list of jobs comes, a list of as many bodies goes back.
parentPort?.on('message', (jobs: readonly EncryptJob[]) => {
  parentPort?.postMessage(jobs.map(({ payload, recipient }) => encrypt(payload, recipient)));
});
