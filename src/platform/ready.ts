import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Environment } from './config.ts';

/** What `npm run up` leaves in its folder for the commands beside it; only the owner can read these files. */
export interface ReadyFile {
  /** Address with its /v1. */
  readonly api: string;
  readonly apiKey: string;
}

/** Beside `ready.json`: `{ url }` of the embedded database, null where the database is from elsewhere. */
export const DATABASE_FILE = 'database.json';

/** MUSTER_DATA, `./.muster` by default. */
export const dataFolderOf = (env: Environment): string => resolve(env['MUSTER_DATA'] || './.muster');

/** The installation in that folder, running or ended; undefined where there is none. */
export function readReady(env: Environment): ReadyFile | undefined {
  const { api, apiKey } = fieldsOf(env, 'ready.json');
  return typeof api === 'string' && typeof apiKey === 'string' ? { api, apiKey } : undefined;
}

/** Address of its embedded database; undefined where there is none. */
export function readEmbeddedDatabase(env: Environment): string | undefined {
  const { url } = fieldsOf(env, DATABASE_FILE);
  return typeof url === 'string' ? url : undefined;
}

function fieldsOf(env: Environment, file: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(readFileSync(join(dataFolderOf(env), file), 'utf8'))) as Record<string, unknown>;
  } catch {
    return {};
  }
}
