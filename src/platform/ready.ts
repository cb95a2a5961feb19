import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Environment } from './config.ts';

/** What `npm run up` leaves in its folder for the commands beside it; the file is its owner's alone. */
export interface ReadyFile {
  readonly folder: string;
  /** Address with its /v1. */
  readonly api: string;
  readonly apiKey: string;
  readonly database: string | undefined;
}

/** The installation in MUSTER_DATA (`./.muster`), running or ended; undefined where there is none. */
export function readReady(env: Environment): ReadyFile | undefined {
  const folder = resolve(env['MUSTER_DATA'] || './.muster');
  try {
    const { api, apiKey, database } = JSON.parse(readFileSync(join(folder, 'ready.json'), 'utf8')) as Record<string, unknown>;
    if (typeof api !== 'string' || typeof apiKey !== 'string') return undefined;
    return { folder, api, apiKey, database: typeof database === 'string' ? database : undefined };
  } catch {
    return undefined;
  }
}
