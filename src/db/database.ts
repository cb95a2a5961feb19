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
 * The only way to the tables. The raw pool is not exported: all work runs inside a transaction of one tenant, or through the
 * few functions that cross tenants.
 */
export interface Database {
  /** Runs `work` in one transaction that sees this tenant's rows alone. */
  withTenant<T>(tenantId: number, work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Does what `withTenant` does in one packet each way: the packet holds what `work` has sent by the time it first awaits, and
   * is committed at its end. So `work` may send `prepared` statements alone, and all of them at once; a later one is refused.
   * Rows are given once they are committed.
   */
  atOnce<T>(tenantId: number, work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Opens the connections that the pool keeps, and has each parse and plan the statements that `work` sends in its first turn,
   * so that the first message does not wait for that. No statement is executed, whatever it would do, and each answers no
   * rows; what `work` makes of that does not matter. It rejects when the server refuses a statement.
   */
  warmUp(work: (tx: Tx) => Promise<unknown>): Promise<void>;
  /** Serves the SECURITY DEFINER functions and `installation`: no tenant is set, so no tenant's row is visible. */
  across: Kysely<Schema>;
  /** Gives a plain client for LISTEN or COPY, which the caller releases. */
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
  /** Is called for each new connection before it is used, and refuses it by throwing. */
  admit?: (client: pg.ClientBase) => Promise<void>;
  /**
   * Makes every statement look rows up by their keys, and plans each prepared one once a connection. The mark's plan for one
   * slice looks cheaper than its plan for any, so the server would otherwise plan it anew each time, for 3.8 ms. Reading whole
   * tables is forbidden, since a plan made while a table was empty would read all of it later.
   */
  keysOnly?: boolean;
}

// Values of numeric and float8 come as numbers. A bigint stays a string, since ids are opaque and counts are cast where needed.
pg.types.setTypeParser(pg.types.builtins.NUMERIC, Number);

type Parse = (value: string) => unknown;
const builtInParser = pg.types.getTypeParser as (oid: number, format?: string) => Parse;
/** The type id of `text[]`. An array of enum words has the same text form. */
const TEXT_ARRAY = 1009;

/** Reads arrays of our own enums (`channel[]`, `message_class[]`) as arrays of strings. Their type ids differ per database. */
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
  const getTypeParser = (oid: number, format?: string) => (oids.has(oid) ? parseArray : builtInParser(oid, format));
  return {
    types: { getTypeParser: getTypeParser as typeof pg.types.getTypeParser },
    /** Is called once a pool, by its first connection; the pool waits for it before it hands the connection out. */
    load: (client: pg.ClientBase): void => {
      loaded ??= load(client).catch((error: unknown) => {
        loaded = undefined;
        throw error;
      });
      return loaded as unknown as void;
    },
  };
}

/**
 * Two connections stay open however long nothing happens, so that a message at night finds connections made and statements
 * planned: without them its first call took 180 to 240 ms, four times what it takes a minute later.
 */
const keptOpen = (options: DatabaseOptions): number => Math.min(2, options.max);

/** Opens a pool whose connections act as an application role that owns nothing (row-level security applies). */
export function openDatabase(options: DatabaseOptions): Database {
  let closing = false;
  const pool = openPool(options, () => closing);
  const across = new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) });
  return {
    across,
    withTenant: (tenantId, work) => inTransaction(pool, tenantId, work),
    atOnce: (tenantId, work) => asOnePacket(pool, tenantId, work),
    warmUp: async (work) => {
      // They are warmed up together, so that each has a connection of its own.
      const kept = Array.from({ length: keptOpen(options) });
      await Promise.all(kept.map(async () => warmUpOn(await pool.connect(), work)));
    },
    connect: () => pool.connect(),
    close: async () => {
      closing = true;
      await across.destroy();
      // Kysely does not end a pool that it never used.
      if (!pool.ending) await pool.end();
    },
  };
}

function openPool(options: DatabaseOptions, isClosing: () => boolean): pg.Pool {
  const arrays = enumArrays();
  const before = async (client: pg.ClientBase): Promise<void> => {
    await (arrays.load(client) as unknown as Promise<void>);
    await options.admit?.(client);
  };
  const pool = new pg.Pool({
    types: arrays.types,
    onConnect: (client) => before(client) as unknown as void,
    connectionString: options.url,
    max: options.max,
    application_name: options.name,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    min: keptOpen(options),
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
  // An idle connection that breaks (the server restarts) must not end the process; the pool replaces it.
  pool.on('error', (error) => {
    if (!isClosing()) options.log.warn({ code: (error as { code?: string }).code }, 'database connection lost');
  });
  // The pool listens only while a connection is idle. One that is lost between two statements of a transaction would be an
  // unhandled 'error' event and end the process. Its next statement fails anyway, so it is only noted here.
  pool.on('connect', (client) => {
    client.on('error', (error) => options.log.debug({ error: error.message }, 'database connection lost in use'));
  });
  return pool;
}

async function inTransaction<T>(pool: pg.Pool, tenantId: number, work: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = false;
  try {
    hold(client);
    // It is not awaited, so that it travels with the first statement of `work`. If it fails, so does everything after it.
    const begun = client.query(begin(tenantId));
    begun.catch(() => undefined);
    const result = await work(txOf(client));
    await commit(client);
    await begun;
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => (broken = true));
    throw error;
  } finally {
    client.release(broken);
  }
}

async function asOnePacket<T>(pool: pg.Pool, tenantId: number, work: (tx: Tx) => Promise<T>): Promise<T> {
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
}

/**
 * Keeps what is sent now until the microtasks have run, so that it leaves in one packet: a packet for each statement would
 * wake the server each time.
 */
function hold(client: pg.ClientBase): void {
  const { stream } = (client as unknown as { connection: { stream: Duplex } }).connection;
  stream.cork();
  process.nextTick(() => stream.uncork());
}

/** The two statements are one simple query, so that they need one message each way. `set_config` is local to the transaction. */
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

/** Gives each client one Kysely and keeps it, since a client serves one transaction at a time. */
function txOf(client: pg.ClientBase): Tx {
  let tx = kyselys.get(client);
  if (!tx) {
    tx = clientKysely(client) as Tx;
    kyselys.set(client, tx);
    clients.set(tx, client);
  }
  return tx;
}

type Pieces<T extends readonly unknown[]> = { readonly [K in keyof T]: () => Promise<T[K]> };

/** PostgreSQL's in_failed_sql_transaction: a statement was refused because one before it had failed. */
const AFTER_FAILURE = '25P02';

/**
 * Does several pieces of work of one transaction side by side: what they send before they first wait leaves in one packet,
 * so they may need no answer of each other. All of them have ended when this does.
 *
 * @returns their results, in their order
 * @throws the reason of the first piece, in their order, that failed by itself and not because another had
 */
export async function together<T extends readonly unknown[]>(tx: Tx, ...pieces: Pieces<T>): Promise<T> {
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

/** The packet of each transaction that `atOnce` runs. */
const packets = new WeakMap<Tx, OnePacket>();

/** Sends a statement that is prepared by name, at once or with the others of its packet. */
export async function sendNamed(tx: Tx, { name, text, values }: NamedStatement): Promise<unknown[]> {
  const packet = packets.get(tx);
  if (packet) return packet.add({ name, text, values });
  const { rows } = await clientOf(tx).query<object>({ name, text, values: [...values] });
  return rows;
}

async function warmUpOn(client: pg.PoolClient, work: (tx: Tx) => Promise<unknown>): Promise<void> {
  // No tenant has the id 0.
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
    // Kysely sends a statement some microtasks after it was asked to.
    await nextTurn();
    usable = await packet.send(client);
    await Promise.all([planned, working]);
  } finally {
    client.release(!usable);
  }
}
