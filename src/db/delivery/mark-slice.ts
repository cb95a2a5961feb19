import { sql } from 'kysely';
import { BoundedMap } from '#domain/bounded-map.ts';
import type { PushSubscriptionKeys } from '#domain/delivery/channel.ts';
import { brokenGuardSql } from './guard-sql.ts';
import { FIRST, HELD, MARK, type Marked, type MarkedPerson, type MarkValues } from './mark-sql.ts';
import { holdAgainstStop, holdAgainstStopAndLaunch } from './stop-lock.ts';
import type { Database, Tx } from '#db/database.ts';
import type { ClaimedBatch } from './claim-batch.ts';
import { plainArray, type Prepared } from '#db/prepared.ts';

export type { MarkedPerson };

/**
 * Why nothing was marked although people wait. `lost`: the batch is no longer ours. `closed`: the message is over. `guarded`: it
 * breaks a send guard. `paused`: something is stopped. `quiet`: quiet hours have begun. `sender`: the sender stopped itself, or
 * its breaker opened.
 */
export type MarkRefusal = 'lost' | 'closed' | 'guarded' | 'paused' | 'quiet' | 'sender';

export interface Slice {
  /** The people of this slice, all within the batch's range. */
  ids: string[];
  /** How far the batch is marked when this slice is written; unchanged for retries. */
  markedTo: number;
  /** These people are suspected of ending the process: nobody else is marked while they are called. */
  alone?: boolean;
  /** The slice goes through an open breaker, to find out whether the provider works again. */
  probe?: boolean;
  /** Other senders whose opt-outs hold as well: those that this one may stand in for. Null for life, and where there are none. */
  optOutsOf?: readonly number[] | null;
}

/**
 * Writes the delivery rows of a slice in state `attempting` and hands back whom to call, with address and locale.
 * Everything that forbids a call is checked in this one statement: fence, lease, stop of installation, tenant,
 * channel, message and sender, breaker, expiry, quiet hours, drill, the send guards, erasure, missing address, suppression,
 * consent, an answer given in between, and how many messages the person had within the hour.
 * People who are refused get a `failed` row with the reason, so that the rows always equal the frozen audience.
 */
export async function markSlice(db: Database, batch: ClaimedBatch, slice: Slice): Promise<MarkedPerson[] | MarkRefusal> {
  const { tenantId, messageId, wave, channel } = batch;
  const { markedTo } = slice;
  const values = valuesOf(batch, slice);
  // Life has no ceiling, so it waits for no launch.
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

/** Lets the connection plan the mark that is tried first. */
export const warmUpMark = (tx: Tx, batch: ClaimedBatch, slice: Slice): Promise<unknown> =>
  Promise.all([holdAgainstStop(tx), FIRST[batch.channel](tx, valuesOf(batch, slice))]);

/** After a unique_violation nothing was written: somebody of the slice has a row already. */
function unlessThere(error: unknown): MarkedPerson[] {
  if ((error as { code?: unknown }).code === '23505') return [];
  throw error;
}

/** Waves of messages of which `FIRST` marks nobody, as this process last found. It only decides which statement is tried first. */
const unusual = new BoundedMap<string, true>(500);
const NONE: PushSubscriptionKeys[] = [];

/** Finds out why a mark came back empty. An empty list means that everybody of the slice was refused or done. */
async function whyNothing(db: Database, batch: ClaimedBatch, slice: Slice): Promise<MarkedPerson[] | MarkRefusal> {
  const ofBatch = sql`b.tenant_id = ${batch.tenantId} AND b.id = ${batch.id}`;
  const stillOurs = sql`b.fence = ${batch.fence} AND b.state = 'claimed' AND b.lease_until > now()`;
  const { rows } = await db.withTenant(batch.tenantId, (tx) =>
    sql<{ ours: boolean; live: boolean; guarded: boolean; open: boolean; sender: boolean; quiet: boolean }>`
    SELECT
      EXISTS (SELECT 1 FROM batches b WHERE ${ofBatch} AND b.open_until <= now()) AS quiet,
      EXISTS (SELECT 1 FROM batches b WHERE ${ofBatch} AND ${stillOurs}) AS ours,
      m.state = 'live' AND (m.expires_at IS NULL OR m.expires_at > now()) AS live,
      (${brokenGuardSql}) IS NOT NULL AS guarded,
      i.stopped_at IS NULL AND t.stopped_at IS NULL AND t.suspended_at IS NULL
        AND NOT ${batch.channel}::channel = ANY (t.stopped_channels)
        AND s.drill = m.drill AS open,
      s.stopped_at IS NULL AND (${slice.probe ?? false}::boolean OR NOT ${HELD}) AS sender
    FROM messages m
    JOIN tenants t ON t.tenant_id = m.tenant_id
    JOIN senders s ON s.tenant_id = m.tenant_id AND s.id = ${batch.senderId}
    JOIN waves w ON w.tenant_id = m.tenant_id AND w.message_id = m.id AND w.ordinal = ${batch.wave}
    CROSS JOIN installation i
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
