import { sql } from 'kysely';
import type { ClaimedBatch } from '#db/delivery/claim-batch.ts';
import type { Database, Tx } from '#db/database.ts';
import { prepared } from '#db/prepared.ts';
import type { MessageRow } from '#services/message-row.ts';

export type PlanFacts = Pick<
  MessageRow,
  'class' | 'drill' | 'kind' | 'mark' | 'title' | 'text' | 'said' | 'fallback_locale' | 'answers' | 'share' | 'expires_at'
> & {
  /** The first message of a chain of corrections: all of them replace its notification. */
  root_id: string;
  now: Date;
  tenant_name: string;
  default_locale: string;
  tenant_zone: string | null;
  sender_id: number;
  address: string;
  account: number;
  units_per_second: number | null;
  /** Senders that may stand in for this one (`standIns`). */
  others: number[];
};

/** Reads what all batches of a message on one channel and sender have in common. */
export async function planFacts(db: Database, { tenantId, messageId, senderId }: ClaimedBatch): Promise<PlanFacts> {
  const [facts] = await db.atOnce(tenantId, (tx) => FACTS(tx, { tenantId, messageId, senderId }));
  if (!facts) throw new Error(`message ${messageId} or sender ${senderId} is not there`);
  return facts;
}

interface Values {
  tenantId: number;
  messageId: string;
  senderId: number;
}

/** Lets the connection plan that statement. */
export function warmUpFacts(tx: Tx, { tenantId, messageId, senderId }: ClaimedBatch): Promise<unknown> {
  return FACTS(tx, { tenantId, messageId, senderId });
}

/** The first message of the chain that a message (alias `m`) ends. */
const ROOT_ID = sql`(
        WITH RECURSIVE chain AS (
          SELECT c.id, c.follows_id
          FROM messages c
          WHERE c.tenant_id = m.tenant_id AND c.id = m.id
          UNION
          SELECT c.id, c.follows_id
          FROM messages c
          JOIN chain ON c.tenant_id = m.tenant_id AND c.id = chain.follows_id
        )
        SELECT min(id)::text FROM chain
      )`;

/** Other senders of the class of `m` that may stand in for `s`. */
const OTHERS = sql`ARRAY(
        SELECT o.id
        FROM senders o
        WHERE o.tenant_id = s.tenant_id
          AND o.id <> s.id
          AND o.channel = s.channel
          AND o.drill = s.drill
          AND o.simulated = s.simulated
          AND m.class = ANY (o.classes)
      )`;

// The columns are named, since a plan that was prepared for `m.*` fails when a migration adds one.
const FACTS = prepared<Values, PlanFacts>(
  'plan_facts',
  (at) => sql`
    SELECT
      m.class, m.drill, m.kind, m.mark, m.title, m.text, m.said, m.fallback_locale, m.answers, m.share, m.expires_at,
      now() AS now,
      t.name AS tenant_name, t.default_locale, t.time_zone AS tenant_zone,
      s.id AS sender_id, s.address, s.account, s.units_per_second,
      ${ROOT_ID} AS root_id,
      ${OTHERS} AS others
    FROM messages m
    JOIN tenants t ON t.tenant_id = m.tenant_id
    JOIN senders s ON s.tenant_id = m.tenant_id AND s.id = ${at('senderId')}
    WHERE m.tenant_id = ${at('tenantId')} AND m.id = ${at('messageId')}`,
);
