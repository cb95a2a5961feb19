import { sql } from 'kysely';
import type { PushSubscriptionKeys } from '#domain/delivery/channel.ts';
import { MAY_HAVE_IT } from '#domain/delivery/delivery.ts';
import { addressFacts, byChannel, type Channel, renderingFacts } from '#schemas/channel-facts.ts';
import { type Places, prepared } from '#db/prepared.ts';
import { LEASE_SECONDS } from './claim-batch.ts';
import { brokenGuardSql, ceilingSql, recentSql } from './guard-sql.ts';
import { heldSql } from './sender-batches.ts';

/** A person whose delivery is now `attempting`, and who may be called once this transaction has committed. */
export interface MarkedPerson {
  id: string;
  name: string | null;
  address: string;
  locale: string | null;
  /** Read only where the channel tells times in the reader's own zone. */
  timeZone: string | null;
  attempts: number;
  subscriptions: PushSubscriptionKeys[];
}

/** What a mark gives back; values that all its people share are left out. */
export type Marked = Omit<MarkedPerson, 'timeZone' | 'attempts' | 'subscriptions'> & Partial<MarkedPerson>;

export interface MarkValues {
  tenantId: number;
  messageId: string;
  wave: number;
  channel: Channel;
  senderId: number;
  fence: number;
  batchId: string;
  markedTo: number;
  probe: boolean;
  /** The senders whose opt-outs hold: the sender itself, and others that it may stand in for. */
  senders: string;
  ids: string;
}

/**
 * Whether the first message was called out to a person, or may have been, over `f` (its deliveries). Only a correction asks, at
 * one look at the key for each person.
 */
const MAY_HAVE_HAD = sql`(f.attempts > 0 OR f.state IN (${sql.join(MAY_HAVE_IT.map((state) => sql.lit(state)))}))`;

export const HELD = heldSql(sql`m.class = 'life'`);

/**
 * The mark has two forms. `first` is for people who have no row yet, of a wave that asks about nobody's answers or earlier
 * messages, while nobody can have reached the hourly ceiling; that is nearly every mark. It inserts without looking for a row
 * before (each such look also writes a confirmation of its own), and what it need not ask does not have to be set up each time:
 * 9 us of database time a person instead of 13. Where it does not apply, its gate is shut or the key refuses it.
 *
 * Suppressions are looked up by the addresses of the slice in one walk of the index. Asked person by person, the planner
 * reads all suppressions of the sender into memory for each slice.
 */
const markOn = (channel: Channel, first: boolean) => (at: Places<MarkValues>) => {
  const timeZone = renderingFacts(channel).readersZone ? sql`, p.zone AS "timeZone"` : sql``;
  const subscriptions = addressFacts(channel).column === null ? sql`, ${SUBSCRIPTIONS(at('tenantId'))} AS subscriptions` : sql``;
  return sql<Marked>`
    WITH gate AS (${gateSql(at, first)}
    ), held AS (${heldBatchSql(at)}
    ), person AS MATERIALIZED (${peopleSql(at, channel)}
    ), barred AS MATERIALIZED (${barredSql(at)}
    ), judged AS MATERIALIZED (${judgedSql(at, first)}
    ), marked AS (${markedSql(at, first)}
    ), counted AS (${countedSql(at, first)}
    )
    SELECT p.id, p.name, p.locale, p.address${timeZone}${subscriptions}${first ? sql`` : sql`, m.attempts`}
    ${first ? UNREFUSED : MARKED_NOW}`;
};

type At = Places<MarkValues>;

/** One row while the message may be called out by this sender, none otherwise. */
const gateSql = (at: At, first: boolean) => sql`
      SELECT m.class${first ? sql`` : sql`, m.follows_id, w.selects, c.ceiling, ${recentSql} AS recent`}
      FROM messages m
      JOIN tenants t ON t.tenant_id = m.tenant_id
      JOIN senders s ON s.tenant_id = m.tenant_id AND s.id = ${at('senderId')}
      JOIN waves w ON w.tenant_id = m.tenant_id AND w.message_id = m.id AND w.ordinal = ${at('wave')}
      CROSS JOIN installation i
      CROSS JOIN LATERAL (SELECT ${ceilingSql} AS ceiling) c
      WHERE m.tenant_id = ${at('tenantId')}
        AND m.id = ${at('messageId')} AND m.state = 'live'
        AND (${brokenGuardSql}) IS NULL
        AND (m.expires_at IS NULL OR m.expires_at > now())
        AND i.stopped_at IS NULL AND t.stopped_at IS NULL AND t.suspended_at IS NULL
        AND NOT ${at('channel')}::channel = ANY (t.stopped_channels)
        AND s.stopped_at IS NULL
        AND s.drill = m.drill AND (${at('probe')}::boolean OR NOT ${HELD})
        ${first ? sql`AND w.selects IN ('all', 'not_reached', 'ids') AND ${recentSql} IS NULL` : sql``}`;

/** Moves the batch on and renews its lease, if it is still ours and the gate is open. */
const heldBatchSql = (at: At) => sql`
      UPDATE batches b SET
        marked = GREATEST(b.marked, ${at('markedTo')}),
        lease_until = now() + ${sql.lit(LEASE_SECONDS)} * interval '1 second'
      WHERE b.tenant_id = ${at('tenantId')}
        AND b.id = ${at('batchId')}
        AND b.fence = ${at('fence')} AND b.state = 'claimed' AND b.lease_until > now()
        AND (b.open_until IS NULL OR b.open_until > now()) AND EXISTS (SELECT 1 FROM gate)
      RETURNING 1`;

/** The people of the slice with what a call to them needs. */
const peopleSql = (at: At, channel: Channel) => sql`
      SELECT u.id, p.name, p.locale, p.consent${renderingFacts(channel).readersZone ? sql`, p.time_zone AS zone` : sql``},
        ${callableSql(channel)} AS address,
        p.id IS NULL OR p.erased_at IS NOT NULL AS erased
      FROM unnest(${at('ids')}::bigint[]) u(id)
      LEFT JOIN recipients p ON p.tenant_id = ${at('tenantId')} AND p.id = u.id
      WHERE EXISTS (SELECT 1 FROM held)`;

/** Their addresses that are suppressed. */
const barredSql = (at: At) => sql`
      SELECT x.address
      FROM suppressions x
      WHERE x.tenant_id = ${at('tenantId')}
        AND x.sender_id = ANY (${at('senders')}::int[])
        AND x.address = ANY (ARRAY(SELECT address FROM person WHERE address IS NOT NULL))`;

/** The people with the reason why they are not called; NULL for those who are. */
const judgedSql = (at: At, first: boolean) => sql`
      SELECT p.*, CASE
          WHEN p.erased THEN 'erased'
          WHEN p.address IS NULL THEN 'no_address'
          WHEN p.address IN (SELECT address FROM barred) THEN 'suppressed'
          WHEN g.class <> 'life' AND NOT COALESCE(g.class = ANY (p.consent), g.class <> 'bulk') THEN 'no_consent'
          ${first ? sql`` : unusualRefusals(at)}
        END AS refusal
      FROM person p
      CROSS JOIN gate g`;

/** Their rows. */
const markedSql = (at: At, first: boolean) => sql`
      INSERT INTO deliveries AS d
        (message_id, recipient_id, channel, wave, tenant_id, sender_id, batch_id, state, attempts, fence, marked_at, code)
      SELECT
        ${at('messageId')}, id, ${at('channel')}::channel, ${at('wave')}, ${at('tenantId')}, ${at('senderId')}, ${at('batchId')},
        CASE WHEN refusal IS NULL THEN 'attempting' ELSE 'failed' END::delivery_state,
        (refusal IS NULL)::int,
        ${at('fence')},
        clock_timestamp(),
        refusal
      FROM judged ${first ? sql`` : ORDERED_UNLESS_THERE}`;

/** The counts of the message. */
const countedSql = (at: At, first: boolean) => sql`
      INSERT INTO delivery_counts AS c (message_id, wave, channel, slot, tenant_id, pending, attempting, failed)
      SELECT
        ${at('messageId')}, ${at('wave')}, ${at('channel')}::channel, pg_backend_pid() % 16, ${at('tenantId')},
        -count(*),
        count(*) FILTER (WHERE ${first ? sql`refusal IS NULL` : sql`state = 'attempting'`}),
        count(*) FILTER (WHERE ${first ? sql`refusal IS NOT NULL` : sql`state = 'failed'`})
      FROM ${first ? sql`judged` : sql`marked`}
      HAVING count(*) > 0
      ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET
        pending = c.pending + excluded.pending,
        attempting = c.attempting + excluded.attempting,
        failed = c.failed + excluded.failed`;

const UNREFUSED = sql`
    FROM judged p
    WHERE p.refusal IS NULL`;
const MARKED_NOW = sql`
    FROM marked m
    JOIN judged p ON p.id = m.recipient_id
    WHERE m.state = 'attempting'`;

/** Rows go in the order of their keys, so that two marks of the same people never wait for each other. */
const ORDERED_UNLESS_THERE = sql`
      ORDER BY id
      ON CONFLICT (message_id, recipient_id, channel, wave) DO UPDATE SET
        state = excluded.state,
        attempts = d.attempts + excluded.attempts,
        fence = excluded.fence,
        sender_id = excluded.sender_id,
        marked_at = excluded.marked_at,
        code = excluded.code,
        next_at = NULL
      WHERE d.state = 'pending' AND COALESCE(d.next_at, now()) <= now()
      RETURNING d.recipient_id, d.state, d.attempts`;

const unusualRefusals = (at: Places<MarkValues>) => sql`
          WHEN g.selects = 'not_answered' AND EXISTS (
            SELECT 1 FROM answers a
            WHERE a.message_id = ${at('messageId')} AND a.recipient_id = p.id
          ) THEN 'answered'
          WHEN g.selects = 'reached' AND NOT EXISTS (
            SELECT 1 FROM deliveries f
            WHERE f.message_id = g.follows_id
              AND f.recipient_id = p.id
              AND f.channel = ${at('channel')}::channel
              AND ${MAY_HAVE_HAD}
          ) THEN 'never_had_it'
          WHEN g.recent IS NOT NULL AND over_ceiling(g.recent, p.id, g.ceiling) THEN 'hourly_ceiling'`;

export const MARK = byChannel((channel) => prepared<MarkValues, Marked>(`mark_${channel}`, markOn(channel, false)));
export const FIRST = byChannel((channel) => prepared<MarkValues, Marked>(`mark_first_${channel}`, markOn(channel, true)));

const SUBSCRIPTIONS = (tenantId: unknown) => sql`(
      SELECT COALESCE(jsonb_agg(jsonb_build_object('id', s.id::text, 'endpoint', s.endpoint, 'p256dh', s.p256dh, 'auth', s.auth)), '[]')
      FROM push_subscriptions s
      WHERE s.tenant_id = ${tenantId} AND s.recipient_id = p.id
    )`;

/** What a call is made to, over `p` (recipients); NULL where the person has nothing of it that works. */
function callableSql(channel: Channel) {
  const { column, invalidColumn } = addressFacts(channel);
  if (column === null) return sql`CASE WHEN p.push_count > 0 THEN '' END`;
  return sql`CASE WHEN ${sql.ref(`p.${invalidColumn}`)} IS NULL THEN ${sql.ref(`p.${column}`)} END`;
}
