import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Call } from '#simulator/call-log.ts';

/** Where the simulated carriers of this data folder write each call down before they answer it. */
export const callLogOf = (dataFolder: string): string => join(dataFolder, 'simulator', 'calls.ndjson');

/** The calls that are written down whole: the last line may be on its way. */
export const readCallLog = (file: string): Call[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Call);
