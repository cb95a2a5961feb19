import { createPostgresBackend, Queue, runMigrations, Worker } from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import type { JobName } from '#schemas/jobs.ts';
import type { Log } from '#platform/log.ts';

export interface QueueOptions {
  /** The queue runs on Postgres where this is empty, and on Redis Cluster where it holds more than one. */
  redisUrls: readonly string[];
  databaseUrl: string;
  log: Log;
}

/** One hash slot for all keys, so that the same prefix works on Redis Cluster. */
const PREFIX = '{muster}';

/** Connections of one Postgres-backed queue; BullMQ opens a pool and one LISTEN connection for each queue. */
const POSTGRES_POOL = 3;

export type Backend = { kind: 'redis'; connect: (blocking: boolean) => Redis | Cluster } | { kind: 'postgres'; url: string };

export function chooseBackend(options: QueueOptions): Backend {
  const [first, ...others] = options.redisUrls;
  if (first === undefined) return { kind: 'postgres', url: options.databaseUrl };
  const connect = (blocking: boolean): Redis | Cluster => {
    // A producer must fail at once when Redis is away (the sweep finds the work); a consumer waits for its return.
    const common = blocking
      ? { maxRetriesPerRequest: null, enableOfflineQueue: true }
      : { maxRetriesPerRequest: 1, enableOfflineQueue: false, connectTimeout: 2_000, commandTimeout: 2_000 };
    const retryStrategy = (times: number) => Math.min(times * 100, 2_000);
    const client =
      others.length === 0
        ? new Redis(first, { ...common, retryStrategy })
        : new Cluster([first, ...others], { redisOptions: { maxRetriesPerRequest: null }, enableOfflineQueue: blocking, clusterRetryStrategy: retryStrategy });
    client.on('error', (error: Error) => options.log.debug({ error: error.message }, 'redis connection'));
    return client;
  };
  return { kind: 'redis', connect };
}

/** BullMQ's own tables on Postgres (schema `bullmq`). Safe to call from any number of processes at once. */
export async function migrateQueue(databaseUrl: string): Promise<void> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: databaseUrl, application_name: 'muster-migrate-queue' });
  await client.connect();
  try {
    await runMigrations(client);
  } finally {
    await client.end();
  }
}

export function makeQueue(name: JobName, backend: Backend): { queue: Queue; end: () => Promise<void> } {
  if (backend.kind === 'redis') {
    const connection = backend.connect(false);
    const queue = new Queue(name, { connection, prefix: PREFIX });
    return {
      queue,
      end: async () => {
        await queue.close();
        connection.disconnect();
      },
    };
  }
  const queue = new Queue(
    name,
    { connection: { connectionString: backend.url, max: POSTGRES_POOL, application_name: `muster-queue-${name}` } },
    createPostgresBackend,
  ) as unknown as Queue;
  return { queue, end: () => queue.close() };
}

export function makeWorker(
  name: JobName,
  handler: (data: unknown) => Promise<void>,
  concurrency: number,
  backend: Backend,
): { worker: Worker; end: () => Promise<void> } {
  const options = { concurrency, maxStalledCount: 5, removeOnComplete: { count: 0 }, removeOnFail: { count: 100 } };
  if (backend.kind === 'redis') {
    const connection = backend.connect(true);
    const worker = new Worker(name, (job) => handler(job.data), { ...options, connection, prefix: PREFIX });
    return {
      worker,
      end: async () => {
        await worker.close(true);
        connection.disconnect();
      },
    };
  }
  const connection = { connectionString: backend.url, max: POSTGRES_POOL, application_name: `muster-worker-${name}` };
  const worker = new Worker(name, (job: { data: unknown }) => handler(job.data), { ...options, connection }, createPostgresBackend) as unknown as Worker;
  return { worker, end: () => worker.close(true) };
}
