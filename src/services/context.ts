import { sql } from 'kysely';
import type { Database, Tx } from '#db/database.ts';
import { prepared } from '#db/prepared.ts';
import type { Clock } from '#platform/clock.ts';
import type { Config } from '#platform/config.ts';
import { Problem } from '#platform/errors.ts';
import type { Log } from '#platform/log.ts';
import type { PublicIds, Tokens } from '#platform/tokens.ts';
import type { JobName, Jobs } from '#schemas/jobs.ts';

/** Sends a nudge. Never throws: a lost nudge is found by the sweep. */
export interface Nudger {
  nudge<N extends JobName>(name: N, data: Jobs[N], options?: { delayMs?: number }): Promise<void>;
}

/** What every verb is built from; made once per process in `runtime.ts`. */
export interface Deps {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly db: Database;
  readonly queue: Nudger;
  readonly tokens: Tokens;
  readonly ids: PublicIds;
}

/** `operator` is of the installation, not of a tenant: it stops and releases every organisation, and is nobody's by being an administrator. */
export type Scope = 'read' | 'write' | 'send:life' | 'send:ops' | 'send:bulk' | 'admin' | 'operator';

/** Who is acting. `label` goes to the audit log: `user:12`, `key:7`, `system`, `link`, `host`. */
export interface Actor {
  readonly label: string;
  /** The person behind it, also through that person's API keys; null for the system and links. */
  readonly userId: string | null;
  readonly scopes: ReadonlySet<Scope>;
  /** A test key can reach simulated senders alone. */
  readonly mode: 'live' | 'test';
  /** Whether a question reaches anybody: a person always, a program where the organisation wants it; missing: nobody is there. */
  readonly asked?: 'always' | 'by_policy';
}

export interface Context extends Deps {
  readonly tenantId: number;
  readonly actor: Actor;
  readonly requestId: string;
  /** Set where the caller sent an Idempotency-Key. */
  readonly idempotency?: IdempotentAnswer;
}

/**
 * A verb that makes something calls `complete` as the last statement of its own transaction, so that the key's answer
 * and the thing are committed together: a process killed before it replies leaves an answer that the repeat is given.
 * Throws 409 when a repeat took the key over meanwhile; the transaction must then roll back.
 */
export interface IdempotentAnswer {
  complete(tx: Tx, status: number, body: unknown): Promise<void>;
}

export const systemActor: Actor = {
  label: 'system',
  userId: null,
  scopes: new Set(['read', 'write', 'send:life', 'send:ops', 'send:bulk', 'admin', 'operator']),
  mode: 'live',
};

/** Whoever runs the installation, at its own command: may reach the database, so that no scope binds it. */
export const hostActor: Actor = { ...systemActor, label: 'host' };

/** @throws Problem 403 `scope_missing`, with the scope */
export function requireScope(ctx: Context, scope: Scope): void {
  if (!ctx.actor.scopes.has(scope)) throw new Problem(403, 'scope_missing', `This needs the scope "${scope}".`, { extra: { scope } });
}

export const inTenant = <T>(ctx: Pick<Context, 'db' | 'tenantId'>, work: (tx: Tx) => Promise<T>): Promise<T> => ctx.db.withTenant(ctx.tenantId, work);

/** Tells watchers (server-sent events) that a message's counts moved. Delivered at commit. */
export const notifyProgress = (tx: Tx, tenantId: number, messageId: string): Promise<unknown> => notify(tx, { payload: `${tenantId}:${messageId}` });

const notify = prepared<{ payload: string }, unknown>('notify_progress', (at) => sql`SELECT pg_notify('progress', ${at('payload')})`);

/** The same of many messages, in one statement. */
export async function notifyProgressOf(tx: Tx, tenantId: number, messageIds: readonly string[]): Promise<void> {
  const [first, ...others] = messageIds;
  if (first === undefined) return;
  if (others.length === 0) await notifyProgress(tx, tenantId, first);
  else await sql`SELECT pg_notify('progress', ${tenantId}::text || ':' || id) FROM unnest(${messageIds}::text[]) u(id)`.execute(tx);
}
