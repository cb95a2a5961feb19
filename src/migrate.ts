import { migrate } from '#db/server/migrate.ts';
import { migrateQueue } from '#queue/connection.ts';

/** Brings our tables and the queue's to the present version; safe from any number of processes at once. */
export async function migrateAll(databaseUrl: string): Promise<string[]> {
  const applied = await migrate(databaseUrl);
  await migrateQueue(databaseUrl);
  return applied;
}
