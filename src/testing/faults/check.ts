import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { type DeliveryRef, unpackRef } from '#domain/delivery/refs.ts';
import type { Tokens } from '#platform/tokens.ts';
import type { Call } from '#simulator/call-log.ts';
import { DELIVERY_STATES, type DeliveryState } from '#schemas/delivery.ts';

/** A call of the carriers' log with the delivery that it was for. */
export interface WitnessedCall {
  readonly key: string;
  readonly messageId: string;
  readonly recipientId: string;
  readonly channel: string;
  readonly at: number;
  readonly taken: boolean;
  /** Provider account that was called. */
  readonly account: number;
  readonly body: string;
}

export interface DeliveryRow {
  readonly key: string;
  readonly recipientId: string;
  readonly channel: string;
  readonly state: DeliveryState;
  readonly code: string | null;
  readonly attempts: number;
  readonly markedAt: number | null;
  readonly settledAt: number | null;
}

/** What the carriers' log and the rows say together about some messages. */
export interface Verdict {
  /** Sum of the frozen audiences. */
  readonly people: number;
  readonly states: Record<DeliveryState, number>;
  /** No carrier took a call for them, and no row says so. */
  readonly lost: number;
  /** Taken calls beyond the first, per person, channel and wave. */
  readonly doubled: number;
  /** Listed as `unknown` or `unresolved`. */
  readonly inDoubt: number;
  /** Calls without an earlier committed mark (I2). */
  readonly unmarked: number;
  /** Differences between the counters on the console and the rows (I10). */
  readonly miscounted: number;
  readonly calls: readonly WitnessedCall[];
  readonly rows: readonly DeliveryRow[];
}

/** A push names no delivery: its subscription is a person's, its Topic a message's. */
export interface PushNames {
  readonly recipientOf: ReadonlyMap<string, string>;
  readonly messageOf: ReadonlyMap<string, string>;
}

/** For messages that are no corrections, sent by push in their first wave. */
async function pushNames(pool: pg.Pool, messageIds: readonly string[]): Promise<PushNames> {
  const { rows } = await pool.query<{ name: string; recipient_id: string }>(
    `SELECT regexp_replace(endpoint, '^.*/', '') AS name, recipient_id::text FROM push_subscriptions`,
  );
  // As render/render-message.ts makes it.
  const topicOf = (id: string): string => createHash('sha256').update(`topic ${id}`).digest('base64url').slice(0, 32);
  return {
    recipientOf: new Map(rows.map((row) => [row.name, row.recipient_id])),
    messageOf: new Map(messageIds.map((id) => [topicOf(id), id])),
  };
}

function refOf(call: Call, tokens: Tokens, push: PushNames | undefined): DeliveryRef | undefined {
  if (call.channel === 'push') {
    const [recipientId, messageId] = [push?.recipientOf.get(call.to), push?.messageOf.get(call.ref.split('/')[1] ?? '')];
    return recipientId === undefined || messageId === undefined ? undefined : { messageId, recipientId, channel: 'push', wave: 0 };
  }
  const sealed = call.channel === 'email' ? tokens.openLower('bounce', call.ref) : tokens.open('receipt', call.ref);
  return sealed && unpackRef(sealed);
}

/** Only lines that are whole: the last one may be on its way. */
export function readCalls(file: string, tokens: Tokens, push?: PushNames): WitnessedCall[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .flatMap((line) => {
      const call = JSON.parse(line) as Call;
      const ref = refOf(call, tokens, push);
      if (!ref) return [];
      const { messageId, recipientId, channel, wave } = ref;
      return [
        {
          key: `${messageId}.${recipientId}.${channel}.${wave}`,
          messageId,
          recipientId,
          channel,
          at: Date.parse(call.at),
          taken: call.taken,
          account: call.account ?? 1,
          body: call.body ?? call.subject ?? '',
        },
      ];
    });
}

interface RawRow {
  message_id: string;
  recipient_id: string;
  channel: string;
  wave: number;
  state: DeliveryState;
  code: string | null;
  attempts: number;
  marked: number | null;
  settled: number | null;
}

export async function readRows(pool: pg.Pool, messageIds: readonly string[]): Promise<DeliveryRow[]> {
  const { rows } = await pool.query<RawRow>(
    `SELECT message_id::text, recipient_id::text, channel::text, wave, state::text, code, attempts,
       (extract(epoch FROM marked_at) * 1000)::float8 AS marked, (extract(epoch FROM settled_at) * 1000)::float8 AS settled
     FROM deliveries WHERE message_id = ANY ($1::bigint[])`,
    [messageIds],
  );
  return rows.map((row) => ({
    key: `${row.message_id}.${row.recipient_id}.${row.channel}.${row.wave}`,
    recipientId: row.recipient_id,
    channel: row.channel,
    state: row.state,
    code: row.code,
    attempts: row.attempts,
    markedAt: row.marked,
    settledAt: row.settled,
  }));
}

/** Compares accepted messages, the carriers' log and the delivery rows. */
export async function check(pool: pg.Pool, callsFile: string, tokens: Tokens, messageIds: readonly string[]): Promise<Verdict> {
  const wanted = new Set(messageIds);
  const calls = readCalls(callsFile, tokens, await pushNames(pool, messageIds)).filter((call) => wanted.has(call.messageId));
  const rows = await readRows(pool, messageIds);
  const taken = new Map<string, number>();
  for (const call of calls) if (call.taken) taken.set(call.key, (taken.get(call.key) ?? 0) + 1);
  const states = Object.fromEntries(DELIVERY_STATES.map((state) => [state, rows.filter((row) => row.state === state).length])) as Record<DeliveryState, number>;
  const { rows: audience } = await pool.query<{ id: string; people: number; seen: number }>(
    `SELECT m.id::text, COALESCE(m.audience_count, 0)::float8 AS people,
       (SELECT count(DISTINCT d.recipient_id) FROM deliveries d WHERE d.message_id = m.id AND d.wave = 0)::float8 AS seen
     FROM messages m WHERE m.id = ANY ($1::bigint[]) AND m.launched_at IS NOT NULL AND m.kind = 'original'`,
    [messageIds],
  );
  const withoutRow = audience.reduce((sum, one) => sum + Math.max(0, one.people - one.seen), 0);
  // Accepted, delivered, pending and attempting all claim or promise a call; the other states own up to none.
  const silent = rows.filter((row) => ['accepted', 'delivered', 'pending', 'attempting'].includes(row.state) && !taken.has(row.key)).length;
  const byKey = new Map(rows.map((row) => [row.key, row]));
  return {
    people: audience.reduce((sum, one) => sum + one.people, 0),
    states,
    lost: withoutRow + silent,
    doubled: [...taken.values()].reduce((sum, n) => sum + n - 1, 0),
    inDoubt: states.unknown + states.unresolved,
    unmarked: calls.filter((call) => (byKey.get(call.key)?.attempts ?? 0) < 1).length,
    miscounted: await miscounted(pool, messageIds),
    calls,
    rows,
  };
}

async function miscounted(pool: pg.Pool, messageIds: readonly string[]): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    `WITH shown AS (
       SELECT c.message_id, s.state, sum(s.n) AS n FROM delivery_counts c CROSS JOIN LATERAL (VALUES ${DELIVERY_STATES.map((s) => `('${s}', c.${s})`).join(', ')}) s(state, n)
       WHERE c.message_id = ANY ($1::bigint[]) GROUP BY 1, 2),
     unmarked AS (SELECT b.message_id, sum(cardinality(b.ids) - b.marked) AS n FROM batches b WHERE b.message_id = ANY ($1::bigint[]) GROUP BY 1),
     real AS (
       SELECT d.message_id, d.state::text AS state, count(*) AS n FROM deliveries d WHERE d.message_id = ANY ($1::bigint[]) GROUP BY 1, 2
       UNION ALL SELECT message_id, 'pending', n FROM unmarked),
     summed AS (SELECT message_id, state, sum(n) AS n FROM real GROUP BY 1, 2)
     SELECT COALESCE(sum(abs(COALESCE(s.n, 0) - COALESCE(r.n, 0))), 0)::float8 AS n FROM shown s FULL JOIN summed r USING (message_id, state)`,
    [messageIds],
  );
  return rows[0]?.n ?? 0;
}
