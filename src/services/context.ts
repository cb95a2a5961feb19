import { sql } from 'kysely';
import type { Database, Tx } from '#db/database.ts';
import { prepared } from '#db/prepared.ts';
import type { Clock } from '#platform/clock.ts';
import type { Config } from '#platform/config.ts';
import { Problem } from '#platform/errors.ts';
import type { Log } from '#platform/log.ts';
import type { PublicIds, Tokens } from '#platform/tokens.ts';
import type { JobName, Jobs } from '#schemas/jobs.ts';

/** Wakes a worker through the queue. It never throws: the sweep finds the work of a lost nudge. */
export interface Nudger {
  nudge<N extends JobName>(name: N, data: Jobs[N], options?: { delayMs?: number }): Promise<void>;
}

/** What every verb is built from. It is made once per process, in `runtime.ts`. */
export interface Deps {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly db: Database;
  readonly queue: Nudger;
  readonly tokens: Tokens;
  readonly ids: PublicIds;
}

/**
 * `operator` belongs to the installation, not to a tenant: it stops and releases every organisation. An administrator does
 * not have it for being one.
 */
export type Scope = 'read' | 'write' | 'send:life' | 'send:ops' | 'send:bulk' | 'admin' | 'operator';

/** Who is acting. `label` goes to the audit log: `user:12`, `key:7`, `system`, `link`, `host`. */
export interface Actor {
  readonly label: string;
  /** The person who acts, also where they act through an API key of theirs; null for the system and for links. */
  readonly userId: string | null;
  readonly scopes: ReadonlySet<Scope>;
  /** A test key can use simulated senders alone. */
  readonly mode: 'live' | 'test';
  /**
   * Whether anybody is there to answer a question before a launch: `always` for a person, `by_policy` for a program, which
   * is asked where the organisation wants it. Without it nobody is asked.
   */
  readonly asked?: 'always' | 'by_policy';
}

export interface Context extends Deps {
  readonly tenantId: number;
  readonly actor: Actor;
  readonly requestId: string;
  /** It is set where the caller sent an Idempotency-Key. */
  readonly idempotency?: IdempotentAnswer;
}

/**
 * A verb that makes something calls `complete` as the last statement of its own transaction, so that the key's answer
 * and the thing are committed together: a process killed before it replies leaves an answer for the repeat.
 */
export interface IdempotentAnswer {
  /** @throws Problem 409 where a repeat took the key over meanwhile; the transaction must then roll back */
  complete(tx: Tx, status: number, body: unknown): Promise<void>;
}

export const systemActor: Actor = {
  label: 'system',
  userId: null,
  scopes: new Set(['read', 'write', 'send:life', 'send:ops', 'send:bulk', 'admin', 'operator']),
  mode: 'live',
};

/** The operator at the host's own command. They can reach the database anyway, so that no scope binds them. */
export const hostActor: Actor = { ...systemActor, label: 'host' };

/** @throws Problem 403 `scope_missing`, with the scope in `extra.scope` */
export function requireScope(ctx: Context, scope: Scope): void {
  if (!ctx.actor.scopes.has(scope)) throw new Problem(403, 'scope_missing', `This needs the scope "${scope}".`, { extra: { scope } });
}

/** Runs `work` in one transaction that sees the rows of the context's tenant alone. */
export function inTenant<T>(ctx: Pick<Context, 'db' | 'tenantId'>, work: (tx: Tx) => Promise<T>): Promise<T> {
  return ctx.db.withTenant(ctx.tenantId, work);
}

/** Tells watchers (server-sent events) that a message's counts moved. The database delivers it at commit. */
export function notifyProgress(tx: Tx, tenantId: number, messageId: string): Promise<unknown> {
  return notify(tx, { payload: `${tenantId}:${messageId}` });
}

const notify = prepared<{ payload: string }, unknown>('notify_progress', (at) => sql`SELECT pg_notify('progress', ${at('payload')})`);

/** Does what `notifyProgress` does for many messages, in one statement. */
export async function notifyProgressOf(tx: Tx, tenantId: number, messageIds: readonly string[]): Promise<void> {
  const [first, ...others] = messageIds;
  if (first === undefined) return;
  if (others.length === 0) await notifyProgress(tx, tenantId, first);
  else
    await sql`
      SELECT pg_notify('progress', ${tenantId}::text || ':' || id)
      FROM unnest(${messageIds}::text[]) u(id)`.execute(tx);
}
