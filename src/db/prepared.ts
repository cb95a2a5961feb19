import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, type RawBuilder } from 'kysely';
import type { Schema } from '#schemas/database.ts';
import { sendNamed, type Tx } from './database.ts';

/** Stands for a value while the text is made. */
class Place {
  readonly key: string;
  constructor(key: string) {
    this.key = key;
  }
}

const compiling = new Kysely<Schema>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db) => new PostgresIntrospector(db),
  },
});

/** Where values go in a statement: `${at('ids')}::bigint[]`. */
export type Places<V> = (key: keyof V & string) => Place;
export type Prepared<V, R> = (tx: Tx, values: V) => Promise<R[]>;

/**
 * A statement of the delivery path: written with Kysely's `sql`, made into text once, parsed and planned once per
 * connection under its name, instead of anew for each slice.
 *
 * It is sent when called, before anything is awaited, so several of them travel in one packet (`Database.atOnce`).
 */
export function prepared<V extends object, R>(name: string, build: (at: Places<V>) => RawBuilder<R>): Prepared<V, R> {
  let made: { text: string; keys: readonly (keyof V & string)[] } | undefined;
  const make = (): NonNullable<typeof made> => {
    const { sql: text, parameters } = build((key) => new Place(key)).compile(compiling);
    const keys = parameters.map((place) => {
      if (place instanceof Place) return place.key as keyof V & string;
      throw new Error(`${name}: a value was written into the statement that is made once for all; name it with at()`);
    });
    return { text, keys };
  };
  return (tx, values) => {
    made ??= make();
    return sendNamed(tx, { name, text: made.text, values: made.keys.map((key) => values[key]) }) as Promise<R[]>;
  };
}

/** Digits and words in the server's own notation of arrays; nothing in them needs quoting. 2 us for 125 ids, pg's own way 9. */
export const plainArray = (values: readonly (string | number | null)[]): string => `{${values.map((value) => value ?? 'NULL').join(',')}}`;

const PLAIN = /^[\w.-]+$/;
/** Any text. NULL unquoted is the null, quoted the word. */
export const textArray = (values: readonly (string | null)[]): string =>
  `{${values.map((value) => (value === null ? 'NULL' : PLAIN.test(value) && !/^null$/i.test(value) ? value : `"${value.replaceAll(/[\\"]/g, '\\$&')}"`)).join(',')}}`;
