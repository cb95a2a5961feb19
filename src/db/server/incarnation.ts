import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type pg from 'pg';
import type { Log } from '#platform/log.ts';

/** What a process remembers of its database. */
interface Memory {
  system: string;
  database: number;
  timeline: number;
  /** A bigint. */
  beat: string;
}

/** Often enough that a restore loses sight of little, seldom enough to cost nothing. */
export const BEAT_MS = 5_000;

/**
 * One process's memory of its database: asked by every new connection before anything else is sent on it, so that a database
 * that was restored underneath is stopped before anybody is called. Kept in the data folder too, where one survives the
 * process; such a memory can tell that the database went back, and cannot speak for what happened while nobody looked.
 */
export class Incarnation {
  readonly #file: string;
  readonly #log: Log;
  #memory: Memory | undefined;
  #live = false;

  constructor(folder: string, log: Log) {
    this.#file = join(folder, 'incarnation.json');
    this.#log = log;
    this.#memory = readMemory(this.#file);
  }

  /** For `openDatabase`. */
  readonly admit = (client: pg.ClientBase): Promise<void> => this.#ask(client, false, null);

  /** Raises the beat, and so proves that this process and its database go on together. */
  readonly beat = (client: pg.ClientBase): Promise<void> => this.#ask(client, true, null);

  /** @param place of an embedded server's files: those that were copied have another number and another birth */
  readonly admitPlace = (client: pg.ClientBase, place: string): Promise<void> => this.#ask(client, false, place);

  async #ask(client: pg.ClientBase, tick: boolean, place: string | null): Promise<void> {
    const known = this.#memory;
    const { rows } = await client.query<Memory & { restored: string | null }>('SELECT * FROM admit($1, $2, $3, $4, $5, $6, $7)', [
      known?.system ?? null,
      known?.database ?? null,
      known?.timeline ?? null,
      known?.beat ?? null,
      this.#live,
      place,
      tick,
    ]);
    const [row] = rows;
    if (!row) throw new Error('admit() answered nothing');
    const { restored, ...memory } = row;
    if (restored !== null)
      this.#log.error(
        { reason: restored },
        'the database was restored from a backup: nothing is sent until a person releases the installation',
      );
    this.#memory = memory;
    this.#live = true;
    if (tick || restored !== null) this.#keep(memory);
  }

  /** After the database has it, never before: a memory that is ahead would look like a database that went back. */
  #keep(memory: Memory): void {
    const mine = `${this.#file}.${process.pid}`;
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      writeFileSync(mine, JSON.stringify(memory));
      renameSync(mine, this.#file);
    } catch (error) {
      this.#log.debug({ error: (error as Error).message }, 'what is remembered of the database is not kept');
    }
  }
}

function readMemory(file: string): Memory | undefined {
  try {
    const { system, database, timeline, beat } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Memory>;
    return typeof system === 'string' && typeof database === 'number' && typeof timeline === 'number' && typeof beat === 'string'
      ? { system, database, timeline, beat }
      : undefined;
  } catch {
    return undefined;
  }
}

/** File number and birth of an embedded server's data, in the folder that it was given. */
export function placeOf(folder: string): string {
  const { ino, birthtimeMs } = statSync(join(folder, 'postgres', 'PG_VERSION'));
  return `${ino} ${Math.round(birthtimeMs)}`;
}
