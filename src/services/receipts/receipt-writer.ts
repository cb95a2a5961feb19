import type { Deps } from '#services/context.ts';
import { type Receipt, recordReceipts } from './record-receipts.ts';

/** Carriers call back in bursts: waiting this long turns a commit each into one commit for all. */
const GATHER_MS = 5;
const GROUP_MAX = 500;
/** Groups of one tenant in the database at a time; more would only queue on the same rows and take the pool. */
const IN_FLIGHT = 2;

interface Waiting {
  readonly receipt: Receipt;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

interface Line {
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
  const lines = new Map<number, Line>();

  function flush(tenantId: number, line: Line): void {
    clearTimeout(line.timer);
    line.timer = undefined;
    if (line.waiting.length === 0 || line.inFlight >= IN_FLIGHT) return;
    const group = line.waiting.splice(0, GROUP_MAX);
    line.inFlight += 1;
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
        line.inFlight -= 1;
        if (line.waiting.length > 0) flush(tenantId, line);
        else if (line.inFlight === 0) lines.delete(tenantId);
      });
  }

  return {
    write: (tenantId, receipt) =>
      new Promise((done, fail) => {
        const line = lines.get(tenantId) ?? { waiting: [], timer: undefined, inFlight: 0 };
        lines.set(tenantId, line);
        line.waiting.push({ receipt, done, fail });
        if (line.waiting.length >= GROUP_MAX) flush(tenantId, line);
        else line.timer ??= setTimeout(() => flush(tenantId, line), GATHER_MS);
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
