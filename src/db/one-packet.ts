import type { Duplex } from 'node:stream';
import pg from 'pg';

/** A statement that is parsed under its name by the first who needs it on a connection. */
export interface NamedStatement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

interface Waiting {
  readonly statement: NamedStatement;
  done(rows: unknown[]): void;
  fail(error: unknown): void;
}

/** Text, or bytes as they are. */
type Value = string | Buffer | null;

/** What is used of pg's connection; its declared type has another form of it. */
interface Wire {
  readonly stream: Duplex;
  /** Text by name; pg's own queries look there too. */
  readonly parsedStatements: Record<string, string>;
  parse(statement: { name: string; text: string }): void;
  bind(portal: { statement: string; values: readonly Value[] }): void;
  describe(what: { type: 'P'; name: string }): void;
  execute(what: { portal: string }): void;
  sync(): void;
}

/** Any value as pg's own queries write it; not in its declared type. */
const { prepareValue } = (pg as unknown as { utils: { prepareValue(value: unknown): Value } }).utils;

const TENANT = `SELECT set_config('app.tenant', $1, true)`;

/**
 * Statements that travel as one transaction in one packet each way. Without a Sync between them they are one (PostgreSQL,
 * "Message Flow", "Pipelining"): the Sync at the end commits, the first that fails rolls all back. With BEGIN, COMMIT and
 * a Sync each the server parses three commands anew and wakes its client four times: a third of an empty transaction.
 */
export class OnePacket {
  readonly #waiting: Waiting[] = [];
  readonly #planOnly: boolean;
  #sent = false;

  /** @param planOnly they are parsed and planned, and none is executed: each answers no rows */
  constructor(tenantId: number, planOnly = false) {
    this.#planOnly = planOnly;
    // Whatever it is refused for, all the others are too.
    this.add({ name: 'set_tenant', text: TENANT, values: [tenantId] }).catch(() => undefined);
  }

  /** @returns its rows, once everything is committed */
  add(statement: NamedStatement): Promise<unknown[]> {
    if (this.#sent) return Promise.reject(new Error(`${statement.name}: what is sent at once must be sent before anything is awaited`));
    return new Promise((done, fail) => this.#waiting.push({ statement, done, fail }));
  }

  /**
   * Resolves when it is committed.
   * @returns whether the connection can be used again
   */
  async send(client: pg.ClientBase): Promise<boolean> {
    this.#sent = true;
    let parsed = false;
    let bound: Value[][] | undefined;
    try {
      // A value that cannot be written takes all of them back before anything leaves.
      const values = (bound = this.#waiting.map(({ statement }) => statement.values.map((value) => prepareValue(value))));
      const results = await new Promise<pg.QueryResult[]>((done, fail) => {
        // Two statements at least, so that pg gives an array.
        const query = new pg.Query('', (error: Error | undefined, answers: unknown) => (error ? fail(error) : done(answers as pg.QueryResult[])));
        // Not its value: pg takes what is given back for an error.
        query.submit = (connection) => {
          parsed = this.#write(connection as unknown as Wire, values);
        };
        client.query(query);
      });
      for (const [i, one] of this.#waiting.entries()) one.done(results[i]?.rows ?? []);
      return true;
    } catch (error) {
      for (const one of this.#waiting) one.fail(error);
      // After a refusal nobody knows which of the statements that were new to the connection it has parsed.
      return bound === undefined || (!parsed && wasRolledBack(error));
    }
  }

  /** @returns whether some were new to the connection */
  #write(wire: Wire, bound: readonly (readonly Value[])[]): boolean {
    let parsed = false;
    wire.stream.cork();
    for (const [i, { statement }] of this.#waiting.entries()) {
      const { name, text } = statement;
      // Without a name it is nobody's afterwards.
      if (name === '') wire.parse({ name, text });
      else if (wire.parsedStatements[name] === undefined) {
        wire.parse({ name, text });
        wire.parsedStatements[name] = text;
        parsed = true;
      }
      wire.bind({ statement: name, values: bound[i] ?? [] });
      // Bind plans (PostgreSQL, "Extended Query"); only Execute reads or writes.
      if (this.#planOnly) continue;
      wire.describe({ type: 'P', name: '' });
      wire.execute({ portal: '' });
    }
    wire.sync();
    wire.stream.uncork();
    return parsed;
  }
}

/** The server refused a statement and the session lives: ERROR and a code of Appendix A, unlike FATAL or a socket's end. */
export const wasRolledBack = (error: unknown): boolean => {
  const { severity, code } = error as { severity?: unknown; code?: unknown };
  return severity === 'ERROR' && typeof code === 'string';
};
