import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { encrypt, type Recipient } from './encrypt.ts';
import { bodiesOf, type EncryptJob, packList } from './encrypt-list.ts';

/** An encryption takes 140 us, so fewer than this many in one turn of the event loop are not worth a thread. */
const WORTH_A_THREAD = 8;
/**
 * Nobody is sent anything until the first list is back. When 250 people come at once, that is after 20 ms with two lists and
 * after 5 ms with eight.
 */
const MOST_IN_A_LIST = 32;
const MOST_THREADS = 4;
/**
 * Niceness of the threads. With it the event loop and the database, which wait for the threads anyway, need not wait for a core
 * as well: 7,700 pushes a second on two cores beside 7,400 without (four runs of four rounds each, in turn). 10 is no better, and
 * 19 is worse.
 */
const NICENESS = 5;
/** Threads end after so long without work, because each costs some 12 MB. */
const IDLE_MS = 30_000;

interface Asked extends EncryptJob {
  done(body: Buffer | undefined): void;
}

interface Thread {
  readonly worker: Worker;
  /** The lists that it was given, in order. */
  readonly lists: (readonly Asked[])[];
  busy: number;
}

/**
 * Encrypts on threads of its own while a fan-out runs, since encryption is more than half of what a push costs and the
 * event loop has the connections to serve. A few pushes are encrypted at once, on the event loop. The first crowd starts the
 * threads, and they end after half a minute without work.
 */
export class Encryption {
  readonly #most: number;
  readonly #niceness: number;
  readonly #threads: Thread[] = [];
  #turn: Asked[] = [];
  #idle: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * @param threads at most so many; 0: everything is encrypted on the event loop
   * @param niceness of the threads, 0 to 19 (setpriority(2)). It is set on Linux alone: elsewhere it would be the whole process's.
   */
  constructor(threads = Math.min(availableParallelism(), MOST_THREADS), niceness = NICENESS) {
    this.#most = threads;
    this.#niceness = niceness;
  }

  /** How many threads run now. */
  get size(): number {
    return this.#threads.length;
  }

  /** @returns the body, or undefined when the subscription's keys are unusable */
  encrypt(payload: Uint8Array, recipient: Recipient): Promise<Buffer | undefined> {
    return new Promise((done) => {
      if (this.#turn.push({ payload, recipient, done }) === 1) setImmediate(() => this.#deal());
    });
  }

  /** Deals what was asked within one turn to the threads, in lists of equal length; each goes to the thread that has least to do. */
  #deal(): void {
    const asked = this.#turn;
    this.#turn = [];
    const waiting = this.#threads.some((thread) => thread.busy > 0);
    if (this.#most === 0 || this.#closed || (!waiting && asked.length < WORTH_A_THREAD)) return inPlace(asked);
    if (this.#threads.length === 0) for (let n = 0; n < this.#most; n++) this.#start();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#end(), IDLE_MS).unref();
    const each = Math.min(MOST_IN_A_LIST, Math.max(WORTH_A_THREAD / 2, Math.ceil(asked.length / this.#threads.length)));
    for (let from = 0; from < asked.length; from += each) this.#give(asked.slice(from, from + each));
  }

  #give(list: readonly Asked[]): void {
    const thread = this.#threads.reduce<Thread | undefined>((least, one) => (least && least.busy <= one.busy ? least : one), undefined);
    if (!thread) return inPlace(list);
    thread.lists.push(list);
    thread.busy += list.length;
    const packed = packList(list);
    thread.worker.postMessage(packed, [packed]);
  }

  #start(): void {
    const worker = new Worker(new URL('./encrypt-thread.ts', import.meta.url), {
      workerData: this.#niceness,
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    });
    const thread: Thread = { worker, lists: [], busy: 0 };
    worker.unref();
    worker.on('message', (packed: ArrayBuffer) => {
      const list = thread.lists.shift() ?? [];
      thread.busy -= list.length;
      for (const [i, body] of bodiesOf(packed).entries()) list[i]?.done(body);
    });
    // Whatever ends a thread, the lists that it had are encrypted here instead.
    worker.on('error', () => {});
    worker.once('exit', () => {
      const at = this.#threads.indexOf(thread);
      if (at >= 0) this.#threads.splice(at, 1);
      for (const list of thread.lists.splice(0)) inPlace(list);
    });
    this.#threads.push(thread);
  }

  async #end(): Promise<void> {
    if (this.#threads.some((thread) => thread.busy > 0)) return;
    await Promise.all(this.#threads.splice(0).map(({ worker }) => worker.terminate()));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idle);
    await Promise.all(this.#threads.splice(0).map(({ worker }) => worker.terminate()));
  }
}

function inPlace(list: readonly Asked[]): void {
  for (const { payload, recipient, done } of list) done(encrypt(payload, recipient));
}
