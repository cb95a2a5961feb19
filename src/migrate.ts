import { migrate } from '#db/server/migrate.ts';
import { migrateQueue } from '#queue/connection.ts';

/**
 * Brings our tables and the queue's to the present version; safe from any number of processes at once.
 *
 * @param dataFolder where `npm run up` keeps the database, if it does
 */
export async function migrateAll(databaseUrl: string, dataFolder?: string): Promise<string[]> {
  const applied = await migrate(databaseUrl, dataFolder === undefined ? {} : { dataFolder });
  await migrateQueue(databaseUrl);
  return applied;
}
