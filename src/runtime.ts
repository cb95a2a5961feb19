import { type InstalledChannels, installChannels } from '#channels/registry.ts';
import { type Database, openDatabase } from '#db/database.ts';
import { BEAT_MS, Incarnation } from '#db/server/incarnation.ts';
import { strangerToQueue } from '#db/server/own-queue.ts';
import { systemClock } from '#platform/clock.ts';
import { type Config, ConfigError, type Environment, readConfig } from '#platform/config.ts';
import { createLog, type Log } from '#platform/log.ts';
import { PublicIds, Tokens } from '#platform/tokens.ts';
import { openQueues, type Queues } from '#queue/queues.ts';
import type { Deps } from '#services/context.ts';

export interface Runtime {
  readonly config: Config;
  readonly channels: InstalledChannels;
  readonly log: Log;
  readonly deps: Deps;
  readonly queues: Queues;
  /** For further pools of the process. */
  readonly admit: Incarnation['admit'];
  close(): Promise<void>;
}

/** Connections kept for verbs, one of them to listen; lanes of a worker have pools of their own. */
const POOL: Record<'api' | 'worker', number> = { api: 16, worker: 7 };

/** Builds what one process needs from its environment: nothing else constructs these. */
export async function createRuntime(env: Environment, kind: 'api' | 'worker'): Promise<Runtime> {
  const config = readConfig(env);
  // Before anything else begins: a wrong setting of an account is a fault of the configuration like any other.
  const channels = await installChannels(config);
  const log = createLog(kind, config.logLevel);
  const incarnation = new Incarnation(config.dataFolder, log);
  const { admit } = incarnation;
  const db = openDatabase({
    url: config.databaseUrl,
    role: kind === 'api' ? 'muster_api' : 'muster_worker',
    max: POOL[kind],
    name: `muster-${kind}`,
    log,
    admit,
  });
  const beating = startBeating(db, incarnation, log);
  const queues = openQueues({ redisUrls: config.redisUrls, databaseUrl: config.databaseUrl, log });
  const close = async (): Promise<void> => {
    clearInterval(beating);
    await queues.close();
    await db.close();
  };
  const installation = await db.across.selectFrom('installation').select('id_key').executeTakeFirstOrThrow();
  if (queues.backend === 'postgres')
    await requireOwnQueue(db).catch(async (error: unknown) => {
      await close();
      throw error;
    });
  const deps: Deps = { config, log, clock: systemClock, db, queue: queues, tokens: new Tokens(config.secretKeys), ids: new PublicIds(installation.id_key) };
  return {
    config,
    channels,
    log,
    deps,
    queues,
    admit,
    close,
  };
}

/**
 * The queue's library brings its tables up to date by itself and waits without end and without a word where it may not:
 * nothing would be sent, and nobody told.
 */
async function requireOwnQueue(db: Database): Promise<void> {
  const user = await strangerToQueue(db);
  if (user === undefined) return;
  throw new ConfigError([
    `REDIS_URL: is required for the database user ${user}: without Redis the queue runs on tables of its own in Postgres, which this user does not own`,
  ]);
}

function startBeating(db: Database, incarnation: Incarnation, log: Log): NodeJS.Timeout {
  const beat = async (): Promise<void> => {
    const client = await db.connect();
    try {
      await incarnation.beat(client);
    } finally {
      client.release();
    }
  };
  return setInterval(() => void beat().catch((error: unknown) => log.debug({ error: (error as Error).message }, 'no beat')), BEAT_MS);
}
