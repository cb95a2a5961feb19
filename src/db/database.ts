import type { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import type { Schema } from '#schemas/database.ts';
import type { Log } from '#platform/log.ts';
import { clientKysely, type Querying } from './client-kysely.ts';
import { type NamedStatement, OnePacket } from './one-packet.ts';

export type AppRole = 'muster_api' | 'muster_worker';

/** A transaction that can see one tenant. */
export type Tx = Transaction<Schema>;

/**
 * The only way to the tables. The raw pool is not exported: each piece of work runs inside a transaction of one
 * tenant, or through the few functions that cross tenants.
 */
export interface Database {
  /** Runs `work` in one transaction that sees this tenant's rows alone. */
  withTenant<T>(tenantId: number, work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * As `withTenant`, in one packet each way: what `work` has sent by the time it first awaits, committed at its end. So
   * `work` may only send `prepared` statements, and all of them at once; whatever it sends later is refused. Rows are given
   * once they are committed.
   */
  atOnce<T>(tenantId: number, work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Opens the connections that the pool keeps, and has each parse and plan what `work` sends in its first turn, so that the
   * first who needs it need not wait for that. No statement is executed, whatever it would do, and each answers no rows;
   * what `work` makes of that does not matter. Rejects when the server refuses a statement.
   */
  warmUp(work: (tx: Tx) => Promise<unknown>): Promise<void>;
  /** For the SECURITY DEFINER functions and `installation`: no tenant is set, so no tenant's row is visible. */
  across: Kysely<Schema>;
  /** A plain client for LISTEN or COPY; the caller releases it. */
  connect(): Promise<pg.PoolClient>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  role: AppRole;
  /** Connections of this pool. */
  max: number;
  name: string;
  log: Log;
  statementTimeoutMs?: number;
  /** Asked by each new connection before it is used. */
  admit?: (client: pg.ClientBase) => Promise<void>;
  /**
   * Every statement looks rows up by their keys, and each prepared one is planned once a connection: the mark's plan for one
   * slice looks cheaper than its plan for any, so the server would plan it anew each time, for 3.8 ms. A plan made while a
   * table was still empty would read all of it later; it may not.
   */
  keysOnly?: boolean;
}

// numeric and float8 come as numbers; bigint stays a string, since ids are opaque and counts are cast where needed.
pg.types.setTypeParser(pg.types.builtins.NUMERIC, Number);

type Parse = (value: string) => unknown;
const builtInParser = pg.types.getTypeParser as (oid: number, format?: string) => Parse;
/** `text[]`: an array of enum words has the same text form. */
const TEXT_ARRAY = 1009;

/** Arrays of our own enums (`channel[]`, `message_class[]`) as arrays of strings; their type ids differ per database. */
function enumArrays() {
  const oids = new Set<number>();
  const parseArray = builtInParser(TEXT_ARRAY);
  let loaded: Promise<void> | undefined;
  const load = async (client: pg.ClientBase): Promise<void> => {
    const { rows } = await client.query<{ typarray: number }>(
      `SELECT typarray::int FROM pg_type WHERE typtype = 'e' AND typnamespace = 'public'::regnamespace`,
    );
    for (const row of rows) oids.add(row.typarray);
  };
  return {
    types: { getTypeParser: ((oid: number, format?: string) => (oids.has(oid) ? parseArray : builtInParser(oid, format))) as typeof pg.types.getTypeParser },
    /** Asked once a pool, by its first connection; the pool waits for it before it hands the connection out. */
    load: (client: pg.ClientBase): void => {
      loaded ??= load(client).catch((error: unknown) => {
        loaded = undefined;
        throw error;
      });
      return loaded as unknown as void;
    },
  };
}

/** Opens a pool whose connections act as an application role that owns nothing (row-level security applies). */
export function openDatabase(options: DatabaseOptions): Database {
  const arrays = enumArrays();
  const before = async (client: pg.ClientBase): Promise<void> => {
    await (arrays.load(client) as unknown as Promise<void>);
    await options.admit?.(client);
  };
  const kept = Math.min(2, options.max);
  const pool = new pg.Pool({
    types: arrays.types,
    onConnect: (client) => before(client) as unknown as void,
    connectionString: options.url,
    max: options.max,
    application_name: options.name,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    // Two stay open however long nothing happens, so that a message at night finds connections made and statements planned:
    // without them its first call took 180 to 240 ms, four times what it takes a minute later.
    min: kept,
    keepAlive: true,
    // Statements are sent without waiting for the answers before them.
    pipeline: true,
    options: [
      `-c role=${options.role}`,
      `-c statement_timeout=${options.statementTimeoutMs ?? 30_000}`,
      '-c idle_in_transaction_session_timeout=30000',
      '-c lock_timeout=10000',
      // JIT costs 50-100 ms on the first large statement of each connection and gains nothing on ours.
      '-c jit=off',
      ...(options.keysOnly ? ['-c plan_cache_mode=force_generic_plan', '-c enable_seqscan=off'] : []),
    ].join(' '),
  });
  // An idle connection that breaks (server restart) must not end the process; the pool replaces it.
  let closing = false;
  const lost = (error: Error): unknown => closing || options.log.warn({ code: (error as { code?: string }).code }, 'database connection lost');
  pool.on('error', lost);
  // pg-pool listens while a connection is idle only: one lost between two statements of a transaction would be an
  // unhandled 'error' event and end the process. Its next statement fails anyway, so noting it is all there is to do.
  pool.on('connect', (client) => client.on('error', (error) => options.log.debug({ error: error.message }, 'database connection lost in use')));
  const across = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  const inTransaction = async <T>(tenantId: number, work: (tx: Tx, client: pg.PoolClient) => Promise<T>): Promise<T> => {
    const client = await pool.connect();
    let broken = false;
    try {
      hold(client);
      // Not awaited: it travels with the first statement of `work`. If it fails, so does everything behind it.
      const begun = client.query(begin(tenantId));
      begun.catch(() => undefined);
      const result = await work(txOf(client), client);
      await begun;
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => (broken = true));
      throw error;
    } finally {
      client.release(broken);
    }
  };
  return {
    across,
    withTenant: (tenantId, work) =>
      inTransaction(tenantId, async (tx, client) => {
        const result = await work(tx);
        await commit(client);
        return result;
      }),
    atOnce: async (tenantId, work) => {
      const packet = new OnePacket(tenantId);
      const client = await pool.connect();
      const tx = txOf(client);
      let usable = true;
      try {
        packets.set(tx, packet);
        const working = work(tx);
        const [result, sent] = await Promise.allSettled([working, packet.send(client)]);
        usable = sent.status === 'fulfilled' && sent.value;
        if (result.status === 'rejected') throw result.reason;
        return result.value;
      } finally {
        packets.delete(tx);
        client.release(!usable);
      }
    },
    warmUp: async (work) => {
      // Together, so that each has a connection of its own.
      await Promise.all(Array.from({ length: kept }, async () => warmUpOn(await pool.connect(), work)));
    },
    connect: () => pool.connect(),
    close: async () => {
      closing = true;
      await across.destroy();
      // Kysely ends no pool that it was never asked for.
      if (!pool.ending) await pool.end();
    },
  };
}

/**
 * Keeps what is sent now until the microtasks have run, so that it leaves in one packet: each packet of its own wakes the
 * server for one statement.
 */
function hold(client: pg.ClientBase): void {
  const { stream } = (client as unknown as { connection: { stream: Duplex } }).connection;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

/** One simple query: two statements, one message each way. `set_config` is local to the transaction. */
function begin(tenantId: number): string {
  if (!Number.isSafeInteger(tenantId)) throw new TypeError(`a tenant's id is a whole number, not ${tenantId}`);
  return `BEGIN; SELECT set_config('app.tenant', '${tenantId}', true)`;
}

async function commit(client: pg.ClientBase): Promise<void> {
  const { command } = await client.query('COMMIT');
  // PostgreSQL answers COMMIT with ROLLBACK when a statement before it failed.
  if (command === 'ROLLBACK') throw new Error('the transaction was rolled back: a statement of it failed');
}

const kyselys = new WeakMap<pg.ClientBase, Tx>();
const clients = new WeakMap<Tx, pg.ClientBase>();

/** One Kysely for each client, kept: a client serves one transaction at a time. */
function txOf(client: pg.ClientBase): Tx {
  let tx = kyselys.get(client);
  if (!tx) {
    tx = clientKysely(client) as Tx;
    kyselys.set(client, tx);
    clients.set(tx, client);
  }
  return tx;
}

/** PostgreSQL's in_failed_sql_transaction: a statement was refused because one before it had failed. */
const AFTER_FAILURE = '25P02';

/**
 * Does several pieces of work of one transaction side by side: what they send before they first wait leaves in one packet,
 * so they may need no answer of each other. All of them have ended when this does.
 *
 * @returns their results, in their order
 * @throws the reason of the first piece, in their order, that failed by itself and not because another had
 */
export async function together<T extends readonly unknown[]>(tx: Tx, ...pieces: { readonly [K in keyof T]: () => Promise<T[K]> }): Promise<T> {
  hold(clientOf(tx));
  const results = await Promise.allSettled(pieces.map((piece) => piece()));
  const failed = results.filter((result) => result.status === 'rejected');
  const cause = failed.find(({ reason }) => (reason as { code?: string } | undefined)?.code !== AFTER_FAILURE) ?? failed[0];
  if (cause) throw cause.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}

/** The connection that a transaction runs on. */
function clientOf(tx: Tx): pg.ClientBase {
  const client = clients.get(tx);
  if (!client) throw new Error('not a transaction of this database');
  return client;
}

/** Of transactions that are one packet. */
const packets = new WeakMap<Tx, OnePacket>();

/** Sends a statement that is prepared by name, at once or with the others of its packet. */
export async function sendNamed(tx: Tx, { name, text, values }: NamedStatement): Promise<unknown[]> {
  const packet = packets.get(tx);
  if (packet) return packet.add({ name, text, values });
  const { rows } = await clientOf(tx).query<object>({ name, text, values: [...values] });
  return rows;
}

async function warmUpOn(client: pg.PoolClient, work: (tx: Tx) => Promise<unknown>): Promise<void> {
  // No organisation has the id 0.
  const packet = new OnePacket(0, true);
  const warmedUp: Querying = {
    query: async (text, values) => ({ command: '', rowCount: 0, rows: (await packet.add({ name: '', text, values })) as object[] }),
  };
  const tx = clientKysely(warmedUp) as Tx;
  packets.set(tx, packet);
  clients.set(tx, client);
  let usable = false;
  try {
    const planned = packet.add({ name: '', text: 'SELECT', values: [] });
    const working = work(tx).catch(() => undefined);
    // Kysely sends some microtasks after it is asked.
    await nextTurn();
    usable = await packet.send(client);
    await Promise.all([planned, working]);
  } finally {
    client.release(!usable);
  }
}
