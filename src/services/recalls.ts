import { sql } from 'kysely';
import type { ClaimedBatch } from '#db/claim-batch.ts';
import type { Tx } from '#db/database.ts';
import { Recall } from '#domain/recall.ts';
import type { Channel } from '#schemas/delivery.ts';
import type { Deps } from './context.ts';

/** What workers listen on. */
export const STOPS = 'stops' as const;

/** What was stopped: everything, or all that the given parts name. */
export interface StopScope {
  readonly tenantId?: number | undefined;
  readonly messageId?: string | undefined;
  readonly channel?: Channel | undefined;
}

type Claim = Pick<ClaimedBatch, 'tenantId' | 'messageId' | 'channel'>;

/** Tells every worker of a stop, when the transaction that stores it commits: Postgres delivers it, whatever the queue runs on. */
export async function notifyStop(tx: Tx, { tenantId, messageId, channel }: StopScope): Promise<void> {
  await sql`SELECT pg_notify(${STOPS}, ${`${tenantId ?? ''}:${messageId ?? ''}:${channel ?? ''}`})`.execute(tx);
}

/**
 * The claims of this process. A stop takes back what they have marked and what no carrier was called for yet: those
 * people wait again, and the stop cancels or holds them like everybody else who waits.
 */
export class Recalls {
  readonly #claims = new Map<Recall, Claim>();

  /** Before the claim marks anybody: a stop that comes later finds it. */
  hold({ tenantId, messageId, channel }: Claim): Recall {
    const recall = new Recall();
    this.#claims.set(recall, { tenantId, messageId, channel });
    return recall;
  }

  drop(recall: Recall): void {
    this.#claims.delete(recall);
  }

  /** @param payload as `notifyStop` sends it */
  hear(payload: string): void {
    const [tenantId, messageId, channel] = payload.split(':');
    for (const [recall, claim] of this.#claims)
      if ((!tenantId || tenantId === String(claim.tenantId)) && (!messageId || messageId === claim.messageId) && (!channel || channel === claim.channel))
        recall.recall();
  }

  /** Asks the rows: a notification is lost with the connection that listens. Costs nothing while nobody sends. */
  async look(deps: Pick<Deps, 'db'>): Promise<void> {
    const claims = [...this.#claims].filter(([recall]) => !recall.recalled);
    if (claims.length === 0) return;
    const { rows } = await sql<{ n: number }>`
      SELECT n::int AS n FROM stopped_claims(${claims.map(([, claim]) => claim.tenantId)}::integer[],
        ${claims.map(([, claim]) => claim.messageId)}::bigint[], ${claims.map(([, claim]) => claim.channel)}::channel[]) n`.execute(deps.db.across);
    for (const { n } of rows) claims[n - 1]?.[0].recall();
  }
}
