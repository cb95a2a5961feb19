import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import type pg from 'pg';
import type { Schema } from '#schemas/database.ts';

/** The one thing that Kysely needs of a client. */
export interface Querying {
  query(text: string, values: unknown[]): Promise<Pick<pg.QueryResult<object>, 'command' | 'rowCount' | 'rows'>>;
}

/** One client as Kysely's connection. Kysely's own driver waits for the answer to BEGIN before it sends anything; this one does not. */
class ClientConnection implements DatabaseConnection {
  readonly #client: Querying;

  constructor(client: Querying) {
    this.#client = client;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { command, rowCount, rows } = await this.#client.query(query.sql, query.parameters as unknown[]);
    const changed = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE';
    return { rows: rows as R[], ...(changed ? { numAffectedRows: BigInt(rowCount ?? 0) } : {}) };
  }

  // oxlint-disable-next-line require-yield
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('rows are not streamed through a pipelined connection');
  }
}

const nested = (): Promise<never> => Promise.reject(new Error('one verb is one transaction: it is begun by the database, not by Kysely'));

function driverFor(client: Querying): Driver {
  const connection = new ClientConnection(client);
  return {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(connection),
    releaseConnection: () => Promise.resolve(),
    beginTransaction: nested,
    commitTransaction: nested,
    rollbackTransaction: nested,
    destroy: () => Promise.resolve(),
  };
}

const compiler = new PostgresQueryCompiler();

/** Kysely over one client of the pool. */
export function clientKysely(client: Querying): Kysely<Schema> {
  return new Kysely<Schema>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => driverFor(client),
      createQueryCompiler: () => compiler,
      createIntrospector: (db) => new PostgresIntrospector(db),
    },
  });
}
