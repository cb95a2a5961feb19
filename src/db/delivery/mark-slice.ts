import { sql } from 'kysely';
import { BoundedMap } from '#domain/bounded-map.ts';
import type { PushSubscriptionKeys } from '#domain/delivery/channel.ts';
import { MAY_HAVE_IT } from '#domain/delivery/delivery.ts';
import { addressFacts, byChannel, type Channel, renderingFacts } from '#schemas/channel-facts.ts';
import { brokenGuardSql, ceilingSql, recentSql } from './guard-sql.ts';
import { holdAgainstStop, holdAgainstStopAndLaunch } from './stop-lock.ts';
import type { Database, Tx } from '#db/database.ts';
import { type ClaimedBatch, LEASE_SECONDS } from './claim-batch.ts';
import { type Places, plainArray, type Prepared, prepared } from '#db/prepared.ts';
import { heldSql } from './sender-batches.ts';

/** A person whose delivery is now `attempting` and may be called once this transaction has committed. */
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

/**
 * Why nothing was marked although people wait. `lost`: the batch is no longer ours; `quiet`: its quiet hours have begun;
 * `sender`: the sender stopped itself, or its breaker opened.
 */
export type MarkRefusal = 'lost' | 'closed' | 'guarded' | 'paused' | 'quiet' | 'sender';

export interface Slice {
  /** People of this slice, all within the batch's range. */
  ids: string[];
  /** How far the batch is marked when this slice is written; unchanged for retries. */
  markedTo: number;
  /** Under suspicion of ending the process: nobody else is marked while these people are called. */
  alone?: boolean;
  /** Goes through an open breaker, to find out. */
  probe?: boolean;
  /** Senders whose opt-outs hold as well: those that this one may stand in for. Null for life, and where there are none. */
  optOutsOf?: readonly number[] | null;
}

/** What a call is made to, over `p` (recipients); NULL where the person has nothing of it that works. */
function callableSql(channel: Channel) {
  const { column, invalidColumn } = addressFacts(channel);
  if (column === null) return sql`CASE WHEN p.push_count > 0 THEN '' END`;
  return sql`CASE WHEN ${sql.ref(`p.${invalidColumn}`)} IS NULL THEN ${sql.ref(`p.${column}`)} END`;
}

/**
 * Writes the delivery rows of a slice in state `attempting` and hands back whom to call, with address and locale.
 * Everything that forbids a call is checked in this one statement: fence, lease, stop of installation, tenant,
 * channel, message and sender, breaker, expiry, quiet hours, drill, the send guards, erasure, missing address, suppression,
 * consent, an answer given in between, and how many messages the person had within the hour.
 * Who is refused gets a `failed` row with the reason, so that rows always equal the frozen audience.
 */
export async function markSlice(db: Database, batch: ClaimedBatch, slice: Slice): Promise<MarkedPerson[] | MarkRefusal> {
  const { tenantId, messageId, wave, channel } = batch;
  const { markedTo } = slice;
  const values = valuesOf(batch, slice);
  // Life has no ceiling, and waits for no launch.
  const hold = (tx: Tx) => (batch.lane === 'life' ? holdAgainstStop(tx) : holdAgainstStopAndLaunch(tx, tenantId));
  const write = async (mark: Prepared<MarkValues, Marked>): Promise<MarkedPerson[]> => {
    const [, people] = await db.atOnce(tenantId, (tx) => Promise.all([hold(tx), mark(tx, values)]));
    return people.map(({ id, name, address, locale, timeZone = null, attempts = 1, subscriptions = NONE }) => ({
      id,
      name,
      address,
      locale,
      timeZone,
      attempts,
      subscriptions,
    }));
  };
  const key = `${messageId}.${wave}`;
  const first = markedTo > batch.marked && !unusual.get(key);
  const people = first ? await write(FIRST[channel]).catch(unlessThere) : [];
  if (people.length > 0) return people;
  const others = await write(MARK[channel]);
  if (first && others.length > 0) unusual.set(key, true);
  return others.length > 0 ? others : whyNothing(db, batch, slice);
}

function valuesOf({ tenantId, messageId, wave, channel, senderId, fence, id: batchId }: ClaimedBatch, slice: Slice): MarkValues {
  const { markedTo, probe = false } = slice;
  const senders = plainArray([senderId, ...(slice.optOutsOf ?? [])]);
  return { tenantId, messageId, wave, channel, senderId, fence, batchId, markedTo, probe, senders, ids: plainArray(slice.ids) };
}

/** Has the connection plan the mark that is tried first. */
export const warmUpMark = (tx: Tx, batch: ClaimedBatch, slice: Slice): Promise<unknown> =>
  Promise.all([holdAgainstStop(tx), FIRST[batch.channel](tx, valuesOf(batch, slice))]);

/** unique_violation: somebody of the slice has a row already. Nothing was written. */
function unlessThere(error: unknown): MarkedPerson[] {
  if ((error as { code?: unknown }).code === '23505') return [];
  throw error;
}

/** Waves of messages that `FIRST` marks nobody of, by this process's last try. It only says which statement is tried first. */
const unusual = new BoundedMap<string, true>(500);
const NONE: PushSubscriptionKeys[] = [];

/** What a mark gives back; what all its people have alike is left out. */
type Marked = Omit<MarkedPerson, 'timeZone' | 'attempts' | 'subscriptions'> & Partial<MarkedPerson>;

interface MarkValues {
  tenantId: number;
  messageId: string;
  wave: number;
  channel: Channel;
  senderId: number;
  fence: number;
  batchId: string;
  markedTo: number;
  probe: boolean;
  /** Whose opt-outs hold: the sender's own and those of others that it may stand in for. */
  senders: string;
  ids: string;
}

/** Of a correction, over `f`: the first message was called out to this person, or may have been. One look at the key for each, and none elsewhere. */
const MAY_HAVE_HAD = sql`(f.attempts > 0 OR f.state IN (${sql.join(MAY_HAVE_IT.map((state) => sql.lit(state)))}))`;

const HELD = heldSql(sql`m.class = 'life'`);

/**
 * The mark in two forms. `first` is for people who have no row yet, of a wave that asks about nobody's answers or earlier
 * messages, while nobody can have reached the hourly ceiling: nearly every mark. It inserts without looking for a row before
 * (each such look also writes a confirmation of its own), and what it need not ask does not have to be set up each time:
 * 9 us of database time a person instead of 13. Where it does not apply its gate is shut, or the key refuses it.
 *
 * Suppressions are looked up by the addresses of the slice in one walk of the index: asked person by person the planner
 * reads all those of the sender into memory, for each slice.
 */
const markOn = (channel: Channel, first: boolean) => (at: Places<MarkValues>) =>
  sql<Marked>`
    WITH gate AS (
      SELECT m.class${first ? sql`` : sql`, m.follows_id, w.selects, c.ceiling, ${recentSql} AS recent`} FROM messages m
      JOIN tenants t ON t.tenant_id = m.tenant_id
      JOIN senders s ON s.tenant_id = m.tenant_id AND s.id = ${at('senderId')}
      JOIN waves w ON w.tenant_id = m.tenant_id AND w.message_id = m.id AND w.ordinal = ${at('wave')}
      CROSS JOIN installation i CROSS JOIN LATERAL (SELECT ${ceilingSql} AS ceiling) c
      WHERE m.tenant_id = ${at('tenantId')} AND m.id = ${at('messageId')} AND m.state = 'live' AND (${brokenGuardSql}) IS NULL
        AND (m.expires_at IS NULL OR m.expires_at > now())
        AND i.stopped_at IS NULL AND t.stopped_at IS NULL AND t.suspended_at IS NULL
        AND NOT ${at('channel')}::channel = ANY (t.stopped_channels)
        AND s.stopped_at IS NULL AND s.drill = m.drill AND (${at('probe')}::boolean OR NOT ${HELD})
        ${first ? sql`AND w.selects IN ('all', 'not_reached', 'ids') AND ${recentSql} IS NULL` : sql``}
    ), held AS (
      UPDATE batches b SET marked = GREATEST(b.marked, ${at('markedTo')}), lease_until = now() + ${sql.lit(LEASE_SECONDS)} * interval '1 second'
      WHERE b.tenant_id = ${at('tenantId')} AND b.id = ${at('batchId')} AND b.fence = ${at('fence')} AND b.state = 'claimed' AND b.lease_until > now()
        AND (b.open_until IS NULL OR b.open_until > now()) AND EXISTS (SELECT 1 FROM gate)
      RETURNING 1
    ), person AS MATERIALIZED (
      SELECT u.id, p.name, p.locale, ${renderingFacts(channel).readersZone ? sql`p.time_zone AS zone,` : sql``} ${callableSql(channel)} AS address, p.consent,
        p.id IS NULL OR p.erased_at IS NOT NULL AS erased
      FROM unnest(${at('ids')}::bigint[]) u(id)
      LEFT JOIN recipients p ON p.tenant_id = ${at('tenantId')} AND p.id = u.id
      WHERE EXISTS (SELECT 1 FROM held)
    ), barred AS MATERIALIZED (
      SELECT x.address FROM suppressions x WHERE x.tenant_id = ${at('tenantId')} AND x.sender_id = ANY (${at('senders')}::int[])
        AND x.address = ANY (ARRAY(SELECT address FROM person WHERE address IS NOT NULL))
    ), judged AS MATERIALIZED (
      SELECT p.*, CASE
          WHEN p.erased THEN 'erased'
          WHEN p.address IS NULL THEN 'no_address'
          WHEN p.address IN (SELECT address FROM barred) THEN 'suppressed'
          WHEN g.class <> 'life' AND NOT COALESCE(g.class = ANY (p.consent), g.class <> 'bulk') THEN 'no_consent'
          ${first ? sql`` : unusualRefusals(at)}
        END AS refusal
      FROM person p CROSS JOIN gate g
    ), marked AS (
      INSERT INTO deliveries AS d (message_id, recipient_id, channel, wave, tenant_id, sender_id, batch_id, state, attempts, fence, marked_at, code)
      SELECT ${at('messageId')}, id, ${at('channel')}::channel, ${at('wave')}, ${at('tenantId')}, ${at('senderId')}, ${at('batchId')},
        CASE WHEN refusal IS NULL THEN 'attempting' ELSE 'failed' END::delivery_state, (refusal IS NULL)::int, ${at('fence')}, clock_timestamp(), refusal
      FROM judged ${first ? sql`` : ORDERED_UNLESS_THERE}
    ), counted AS (
      INSERT INTO delivery_counts AS c (message_id, wave, channel, slot, tenant_id, pending, attempting, failed)
      SELECT ${at('messageId')}, ${at('wave')}, ${at('channel')}::channel, pg_backend_pid() % 16, ${at('tenantId')}, -count(*),
        count(*) FILTER (WHERE ${first ? sql`refusal IS NULL` : sql`state = 'attempting'`}), count(*) FILTER (WHERE ${first ? sql`refusal IS NOT NULL` : sql`state = 'failed'`})
      FROM ${first ? sql`judged` : sql`marked`} HAVING count(*) > 0
      ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET
        pending = c.pending + excluded.pending, attempting = c.attempting + excluded.attempting, failed = c.failed + excluded.failed
    )
    SELECT p.id, p.name, p.locale, p.address ${renderingFacts(channel).readersZone ? sql`, p.zone AS "timeZone"` : sql``} ${addressFacts(channel).column === null ? sql`, ${SUBSCRIPTIONS(at('tenantId'))} AS subscriptions` : sql``}
    ${first ? sql`FROM judged p WHERE p.refusal IS NULL` : sql`, m.attempts FROM marked m JOIN judged p ON p.id = m.recipient_id WHERE m.state = 'attempting'`}`;

/** In the order of their keys, so that two marks of the same people never wait for each other. */
const ORDERED_UNLESS_THERE = sql`ORDER BY id
      ON CONFLICT (message_id, recipient_id, channel, wave) DO UPDATE SET
        state = excluded.state, attempts = d.attempts + excluded.attempts, fence = excluded.fence, sender_id = excluded.sender_id,
        marked_at = excluded.marked_at, code = excluded.code, next_at = NULL
      WHERE d.state = 'pending' AND COALESCE(d.next_at, now()) <= now()
      RETURNING d.recipient_id, d.state, d.attempts`;

const unusualRefusals = (at: Places<MarkValues>) => sql`
          WHEN g.selects = 'not_answered' AND EXISTS (SELECT 1 FROM answers a WHERE a.message_id = ${at('messageId')} AND a.recipient_id = p.id) THEN 'answered'
          WHEN g.selects = 'reached' AND NOT EXISTS (SELECT 1 FROM deliveries f WHERE f.message_id = g.follows_id AND f.recipient_id = p.id
            AND f.channel = ${at('channel')}::channel AND ${MAY_HAVE_HAD}) THEN 'never_had_it'
          WHEN g.recent IS NOT NULL AND over_ceiling(g.recent, p.id, g.ceiling) THEN 'hourly_ceiling'`;

const MARK = byChannel((channel) => prepared<MarkValues, Marked>(`mark_${channel}`, markOn(channel, false)));
const FIRST = byChannel((channel) => prepared<MarkValues, Marked>(`mark_first_${channel}`, markOn(channel, true)));

const SUBSCRIPTIONS = (tenantId: unknown) => sql`(
  SELECT COALESCE(jsonb_agg(jsonb_build_object('id', s.id::text, 'endpoint', s.endpoint, 'p256dh', s.p256dh, 'auth', s.auth)), '[]')
  FROM push_subscriptions s WHERE s.tenant_id = ${tenantId} AND s.recipient_id = p.id)`;

/** Asked only when a mark came back empty. An empty list means that everybody of the slice was refused or done. */
async function whyNothing(db: Database, batch: ClaimedBatch, slice: Slice): Promise<MarkedPerson[] | MarkRefusal> {
  const { rows } = await db.withTenant(batch.tenantId, (tx) =>
    sql<{ ours: boolean; live: boolean; guarded: boolean; open: boolean; sender: boolean; quiet: boolean }>`
    SELECT
      EXISTS (SELECT 1 FROM batches b WHERE b.tenant_id = ${batch.tenantId} AND b.id = ${batch.id} AND b.open_until <= now()) AS quiet,
      EXISTS (SELECT 1 FROM batches b WHERE b.tenant_id = ${batch.tenantId} AND b.id = ${batch.id} AND b.fence = ${batch.fence} AND b.state = 'claimed' AND b.lease_until > now()) AS ours,
      m.state = 'live' AND (m.expires_at IS NULL OR m.expires_at > now()) AS live, (${brokenGuardSql}) IS NOT NULL AS guarded,
      i.stopped_at IS NULL AND t.stopped_at IS NULL AND t.suspended_at IS NULL AND NOT ${batch.channel}::channel = ANY (t.stopped_channels)
        AND s.drill = m.drill AS open,
      s.stopped_at IS NULL AND (${slice.probe ?? false}::boolean OR NOT ${HELD}) AS sender
    FROM messages m JOIN tenants t ON t.tenant_id = m.tenant_id
    JOIN senders s ON s.tenant_id = m.tenant_id AND s.id = ${batch.senderId} CROSS JOIN installation i
    JOIN waves w ON w.tenant_id = m.tenant_id AND w.message_id = m.id AND w.ordinal = ${batch.wave}
    WHERE m.tenant_id = ${batch.tenantId} AND m.id = ${batch.messageId}`.execute(tx),
  );
  const facts = rows[0];
  if (!facts?.ours) return 'lost';
  if (!facts.live) return 'closed';
  if (facts.guarded) return 'guarded';
  if (!facts.open) return 'paused';
  if (!facts.sender) return 'sender';
  return facts.quiet ? 'quiet' : [];
}
