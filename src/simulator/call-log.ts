import { appendFileSync, closeSync, createReadStream, ftruncateSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { SimulatedChannel } from './control.ts';

/** One call by a client, as written to calls.ndjson. */
export interface Call {
  /** RFC 3339, when the whole call had arrived. */
  readonly at: string;
  readonly channel: SimulatedChannel;
  /** Phone number, mail address, or push subscription id. */
  readonly to: string;
  /**
   * The caller's own name of the delivery. It is the last path segment of StatusCallback for SMS, what stands after + in the
   * return path (else the Message-ID) for e-mail, and the subscription id, with / and the Topic where one was given, for push.
   */
  readonly ref: string;
  readonly from: string;
  /** 2 when the second account or relay was called; absent for the first. */
  readonly account?: 2;
  /** The carrier's name of the message; '' where none was made. */
  readonly sid: string;
  readonly outcome: 'accepted' | 'throttled' | 'refused' | 'error' | 'cut' | 'silent';
  /** True when the person gets it, whatever the caller was told. */
  readonly taken: boolean;
  /** The refusal's code; absent when accepted. */
  readonly code?: string | number;
  /** The text of an SMS. */
  readonly body?: string;
  /** The segments of an SMS. */
  readonly units?: number;
  readonly subject?: string;
  readonly messageId?: string;
  readonly topic?: string;
  /** Urgency and TTL (RFC 8030) of a push as they were sent. The payload is encrypted, so the carrier knows only its size. */
  readonly urgency?: string;
  readonly ttl?: number;
  readonly bytes?: number;
}

/** How many calls stay in memory for the page. */
const LATEST = 200;

export interface CallFilter {
  readonly channel?: SimulatedChannel | undefined;
  readonly to?: string | undefined;
  readonly ref?: string | undefined;
}

/**
 * The record that tests hold against our tables: a call is in the file before it is answered. The calls of one iteration of
 * the event loop go out in one write. The file is not synced, since it must survive a killed process and not a lost machine.
 */
export class CallLog {
  readonly path: string;
  readonly #file: number;
  #lines: string[] = [];
  #waiters: { done: () => void; fail: (error: unknown) => void }[] = [];
  #closed = false;
  #count = 0;
  #latest: Call[] = [];

  private constructor(path: string, file: number) {
    this.path = path;
    this.#file = file;
  }

  static async open(path: string): Promise<CallLog> {
    await mkdir(dirname(path), { recursive: true });
    return new CallLog(path, openSync(path, 'a'));
  }

  /** How many calls this process has logged. */
  get count(): number {
    return this.#count;
  }

  /** The newest calls of this process, oldest first, without reading the file. */
  latest(limit: number): Call[] {
    return this.#latest.slice(-limit);
  }

  /** Resolves once the line is in the file. Rejects when it could not be written: then the call must not be accepted. */
  append(call: Call): Promise<void> {
    // The number of a closed file may belong to another file by now.
    if (this.#closed) return Promise.reject(new Error('the call log is closed'));
    this.#count += 1;
    this.#latest.push(call);
    if (this.#latest.length >= 2 * LATEST) this.#latest = this.#latest.slice(-LATEST);
    this.#lines.push(JSON.stringify(call));
    const written = new Promise<void>((done, fail) => this.#waiters.push({ done, fail }));
    if (this.#lines.length === 1) setImmediate(() => this.#flush());
    return written;
  }

  #flush(): void {
    const lines = this.#lines;
    const waiters = this.#waiters;
    this.#lines = [];
    this.#waiters = [];
    if (lines.length === 0) return;
    try {
      // This writes to the page cache only, which is quicker than the two thread switches of an asynchronous write.
      appendFileSync(this.#file, `${lines.join('\n')}\n`);
      for (const waiter of waiters) waiter.done();
    } catch (error) {
      for (const waiter of waiters) waiter.fail(error);
    }
  }

  /** The last `limit` calls that fit, oldest first, and how many fit in all. Reads the file as a stream. */
  async read(filter: CallFilter, limit: number): Promise<{ total: number; items: Call[] }> {
    const items: Call[] = [];
    let total = 0;
    for await (const line of createInterface({ input: createReadStream(this.path), crlfDelay: Number.POSITIVE_INFINITY })) {
      const call = parseCall(line);
      if (!call || !fits(call, filter)) continue;
      total += 1;
      items.push(call);
      // Dropping the older half from time to time keeps this linear.
      if (items.length >= 2 * limit) items.splice(0, items.length - limit);
    }
    return { total, items: limit === 0 ? [] : items.slice(-limit) };
  }

  /** Forgets every call. */
  clear(): void {
    this.#flush();
    ftruncateSync(this.#file);
    this.#count = 0;
    this.#latest = [];
  }

  /** Closes the file. It may be called again. */
  close(): void {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    closeSync(this.#file);
  }
}

const fits = (call: Call, filter: CallFilter): boolean =>
  (filter.channel === undefined || call.channel === filter.channel) &&
  (filter.to === undefined || call.to === filter.to) &&
  (filter.ref === undefined || call.ref === filter.ref);

function parseCall(line: string): Call | undefined {
  try {
    return JSON.parse(line) as Call;
  } catch {
    // A process that was killed while it wrote leaves such a last line.
    return undefined;
  }
}
