import { JOB_NAMES, type JobName, type Jobs } from '#schemas/jobs.ts';
import { monotonicMs } from '#platform/clock.ts';
import type { Queue } from 'bullmq';
import { chooseBackend, makeQueue, makeWorker, type QueueOptions } from './connection.ts';

export interface Queues {
  /** Which servers carry the nudges. */
  readonly backend: 'redis' | 'postgres';
  /**
   * Sends a nudge. It never throws and never waits long, since the sweep finds the work of a lost nudge. With `delayMs` this
   * process keeps the nudge for so long, a few milliseconds, and its caller does not wait.
   */
  nudge<N extends JobName>(name: N, data: Jobs[N], options?: { delayMs?: number }): Promise<void>;
  /** Asks the queue's server for a sign of life. */
  health(): Promise<'up' | 'down'>;
  close(): Promise<void>;
}

/**
 * Time limit of a nudge: a queue that was never connected waits for its server without end, and the sweep that nudges would
 * wait with it.
 */
const NUDGE_MS = 1_000;
/** No nudge is tried for so long after a lost one, since the planner of a big wave nudges hundreds of times. */
const DOWN_MS = 1_000;

/** The sending half. Queues are opened on first use, so a process pays only for those it nudges. */
export function openQueues(options: QueueOptions): Queues {
  const backend = chooseBackend(options);
  const open = new Map<JobName, ReturnType<typeof makeQueue>>();
  let downUntil = 0;
  const queueOf = (name: JobName): Queue => {
    let entry = open.get(name);
    if (!entry) {
      entry = makeQueue(name, backend);
      entry.queue.on('error', (error: Error) => options.log.debug({ queue: name, error: error.message }, 'queue'));
      open.set(name, entry);
    }
    return entry.queue;
  };
  const later = new Map<NodeJS.Timeout, () => Promise<void>>();
  const send = async <N extends JobName>(name: N, data: Jobs[N]): Promise<void> => {
    if (monotonicMs() < downUntil) return;
    try {
      await withDeadline(queueOf(name).add(name, data, { removeOnComplete: true, removeOnFail: 100 }), NUDGE_MS);
    } catch (error) {
      downUntil = monotonicMs() + DOWN_MS;
      options.log.warn({ queue: name, error: (error as Error).message }, 'nudge lost; the sweep will find the work');
    }
  };
  return {
    backend: backend.kind,
    nudge: async (name, data, { delayMs } = {}) => {
      if (delayMs === undefined) return send(name, data);
      const timer = setTimeout(() => {
        later.delete(timer);
        void send(name, data);
      }, delayMs);
      later.set(timer, () => send(name, data));
    },
    health: async () => {
      try {
        await withDeadline(queueOf('plan').getWaitingCount(), 2_000);
        return 'up';
      } catch {
        return 'down';
      }
    },
    close: async () => {
      const waiting = [...later];
      for (const [timer] of waiting) clearTimeout(timer);
      await Promise.all(waiting.map(([, sendNow]) => sendNow()));
      await Promise.allSettled([...open.values()].map((entry) => withDeadline(entry.end(), 5_000)));
    },
  };
}

export type Handlers = { [N in JobName]?: (data: Jobs[N]) => Promise<void> };

/** The receiving half: one BullMQ worker per queue that has a handler. */
export function consume(handlers: Handlers, concurrency: number, options: QueueOptions): { close(): Promise<void> } {
  const backend = chooseBackend(options);
  const workers = JOB_NAMES.flatMap((name) => {
    const handler = handlers[name] as ((data: unknown) => Promise<void>) | undefined;
    if (!handler) return [];
    const entry = makeWorker(name, handler, concurrency, backend);
    entry.worker.on('error', (error: Error) => options.log.debug({ queue: name, error: error.message }, 'queue worker'));
    entry.worker.on('failed', (_job: unknown, error: Error) => options.log.error({ queue: name, error: error.message }, 'job failed'));
    return [entry];
  });
  return {
    close: async () => {
      await Promise.allSettled(workers.map((entry) => withDeadline(entry.end(), 5_000)));
    },
  };
}

function withDeadline<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`no answer within ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
