import type { Deps } from '#services/context.ts';
import { type Receipt, recordReceipts } from './record-receipts.ts';

/** Carriers call back in bursts. Waiting this long turns a commit each into one commit for all. */
const GATHER_MS = 5;
const GROUP_MAX = 500;
/** How many groups of one tenant are in the database at a time. More would only queue on the same rows, and take the pool. */
const IN_FLIGHT = 2;

interface Waiting {
  readonly receipt: Receipt;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

interface Queue {
  waiting: Waiting[];
  timer: NodeJS.Timeout | undefined;
  inFlight: number;
}

export interface ReceiptWriter {
  /** Resolves once the receipt is committed. */
  write(tenantId: number, receipt: Receipt): Promise<void>;
}

/** Gathers receipts of each tenant into groups, each one transaction. */
export function createReceiptWriter(deps: Pick<Deps, 'db'>): ReceiptWriter {
  const queues = new Map<number, Queue>();

  function flush(tenantId: number, queue: Queue): void {
    clearTimeout(queue.timer);
    queue.timer = undefined;
    if (queue.waiting.length === 0 || queue.inFlight >= IN_FLIGHT) return;
    const group = queue.waiting.splice(0, GROUP_MAX);
    queue.inFlight += 1;
    recordReceipts(
      deps,
      tenantId,
      group.map((one) => one.receipt),
    )
      .then(
        () => group.forEach((one) => one.done()),
        (error: unknown) => group.forEach((one) => one.fail(error)),
      )
      .finally(() => {
        queue.inFlight -= 1;
        if (queue.waiting.length > 0) flush(tenantId, queue);
        else if (queue.inFlight === 0) queues.delete(tenantId);
      });
  }

  return {
    write: (tenantId, receipt) =>
      new Promise((done, fail) => {
        const queue = queues.get(tenantId) ?? { waiting: [], timer: undefined, inFlight: 0 };
        queues.set(tenantId, queue);
        queue.waiting.push({ receipt, done, fail });
        if (queue.waiting.length >= GROUP_MAX) flush(tenantId, queue);
        else queue.timer ??= setTimeout(() => flush(tenantId, queue), GATHER_MS);
      }),
  };
}

const writers = new WeakMap<object, ReceiptWriter>();

/** The one writer of this process. */
export function receiptWriter(deps: Pick<Deps, 'db'>): ReceiptWriter {
  const writer = writers.get(deps.db) ?? createReceiptWriter(deps);
  writers.set(deps.db, writer);
  return writer;
}
