import { sql } from 'kysely';
import type { ClaimedBatch } from '#db/delivery/claim-batch.ts';
import type { Tx } from '#db/database.ts';
import { Recall } from '#domain/delivery/recall.ts';
import type { Channel, MessageClass } from '#schemas/delivery.ts';
import type { Deps } from '#services/context.ts';

/** The channel of PostgreSQL that workers listen on. */
export const STOPS = 'stops' as const;

/** What was stopped: everything, or only what the given parts name. */
export interface StopScope {
  readonly tenantId?: number | undefined;
  readonly messageId?: string | undefined;
  readonly channel?: Channel | undefined;
}

type Claim = Pick<ClaimedBatch, 'tenantId' | 'messageId' | 'channel' | 'lane'>;

/**
 * The classes whose marked people are called although nobody can say any more whether they were stopped. Life is never held back
 * because the database is away; the people of a campaign wait, and are called when it is back.
 */
const GOES_ON: ReadonlySet<MessageClass> = new Set(['life']);

/** Tells every worker of a stop when the transaction that stores it commits. Postgres delivers it, whatever the queue runs on. */
export async function notifyStop(tx: Tx, { tenantId, messageId, channel }: StopScope): Promise<void> {
  const payload = `${tenantId ?? ''}:${messageId ?? ''}:${channel ?? ''}`;
  await sql`SELECT pg_notify(${STOPS}, ${payload})`.execute(tx);
}

/**
 * Keeps the claims of this process. A stop takes back the people whom they have marked and for whom no carrier was called yet:
 * these wait again, and the stop cancels or holds them like everybody else who waits.
 */
export class Recalls {
  readonly #claims = new Map<Recall, Claim>();
  #missed = 0;

  /** Keeps a claim before it marks anybody, so that a stop that comes later finds it. */
  hold({ tenantId, messageId, channel, lane }: Claim): Recall {
    const recall = new Recall();
    this.#claims.set(recall, { tenantId, messageId, channel, lane });
    return recall;
  }

  drop(recall: Recall): void {
    this.#claims.delete(recall);
  }

  /** @param payload as `notifyStop` sends it */
  hear(payload: string): void {
    const [tenantId, messageId, channel] = payload.split(':');
    const fits = (named: string | undefined, own: string): boolean => !named || named === own;
    const means = (claim: Claim): boolean =>
      [fits(tenantId, String(claim.tenantId)), fits(messageId, claim.messageId), fits(channel, claim.channel)].every(Boolean);
    for (const [recall, claim] of this.#claims) if (means(claim)) recall.recall();
  }

  /** Notes that the database has answered, so that this process is not cut off from it. */
  heard(): void {
    this.#missed = 0;
  }

  /**
   * Notes a look that got no answer. After more than `most` of them everybody who is marked and not called waits, since a worker
   * that is cut off hears of no stop. Looks are counted and not time, since a process that was frozen itself missed nothing.
   *
   * @returns how many claims were taken back
   */
  miss(most: number): number {
    this.#missed += 1;
    if (this.#missed <= most) return 0;
    const held = [...this.#claims].filter(([recall, { lane }]) => !recall.recalled && !GOES_ON.has(lane));
    for (const [recall] of held) recall.recall();
    return held.length;
  }

  /** Looks at the rows, since a notification is lost with the connection that listens. It costs nothing while nobody sends. */
  async look(deps: Pick<Deps, 'db'>): Promise<void> {
    const claims = [...this.#claims].filter(([recall]) => !recall.recalled);
    if (claims.length === 0) return this.heard();
    const { rows } = await sql<{ n: number }>`
      SELECT n::int AS n
      FROM stopped_claims(
        ${claims.map(([, claim]) => claim.tenantId)}::integer[],
        ${claims.map(([, claim]) => claim.messageId)}::bigint[],
        ${claims.map(([, claim]) => claim.channel)}::channel[]
      ) n`.execute(deps.db.across);
    this.heard();
    for (const { n } of rows) claims[n - 1]?.[0].recall();
  }
}
