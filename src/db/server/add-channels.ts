import type pg from 'pg';
import { CHANNELS } from '#schemas/channel-facts.ts';

/**
 * Lets the database know every channel of the table in schemas/channel-facts.ts: a new one needs no migration of its own.
 *
 * Safe under load and beside processes of any other version: the statement locks the type and no table, whoever sends goes
 * on, and a value that nobody writes yet changes nothing. A channel that has left the table keeps its value, since rows may
 * hold it. Several processes may do it at once.
 *
 * @returns the channels that were new
 */
export async function addChannels(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    SELECT e.enumlabel AS name
    FROM pg_enum e
    WHERE e.enumtypid = to_regtype('channel')`);
  // Without the type there is nothing to extend: a folder of migrations that does not make it, as tests of the runner have.
  if (rows.length === 0) return [];
  const known = new Set(rows.map((row) => row.name));
  const added = CHANNELS.filter((channel) => !known.has(channel));
  for (const channel of added) await client.query(`ALTER TYPE channel ADD VALUE IF NOT EXISTS ${client.escapeLiteral(channel)}`);
  return added;
}
