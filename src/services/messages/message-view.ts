import { sql } from 'kysely';
import { together, type Tx } from '#db/database.ts';
import { JOIN_WAVE } from '#db/audience/join-wave.ts';
import { plainArray, prepared } from '#db/prepared.ts';
import { planOf } from '#domain/message/plan.ts';
import { notFound } from '#platform/errors.ts';
import type { Audience } from '#schemas/audience.ts';
import { type Channel, CHANNELS, DELIVERY_STATES } from '#schemas/delivery.ts';
import type { MessageInput } from '#schemas/message.ts';
import type { Fact, Forecast, MessageView, StateCounts } from '#schemas/views.ts';
import type { Context } from '#services/context.ts';
import type { MessageRow } from '#services/message-row.ts';

interface Tally {
  message_id: string;
  kind: string;
  key: string;
  n: number;
}
type WaveCounts = { message_id: string; wave: number; channel: Channel; units: number; settled_at: Date | null } & StateCounts;

const zero = (): StateCounts => Object.fromEntries(DELIVERY_STATES.map((state) => [state, 0])) as StateCounts;
const iso = (time: Date | null): string | null => time?.toISOString() ?? null;

/** The view of one message by its row's id, as its transaction sees it. */
export async function viewMessage(tx: Tx, ctx: Context, id: string): Promise<MessageView> {
  const row = tx.selectFrom('messages').selectAll().where('tenant_id', '=', ctx.tenantId).where('id', '=', id);
  const [found, counters] = await together(
    tx,
    () => row.executeTakeFirst(),
    () => countersOf(tx, ctx.tenantId, [id]),
  );
  if (!found) throw notFound('message');
  return viewOf(ctx, found, counters);
}

/** Builds views from counters alone and never counts deliveries, however many there are. */
export async function viewMessages(tx: Tx, ctx: Context, rows: readonly MessageRow[]): Promise<MessageView[]> {
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const counted = await countersOf(tx, ctx.tenantId, ids);
  return rows.map((row) => viewOf(ctx, row, counted));
}

/** What the views are made of besides the messages' rows. */
interface Counters {
  readonly counts: readonly WaveCounts[];
  readonly tallies: readonly Tally[];
  /** Minutes from a launch to the first correction, by the id of either. */
  readonly minutes: ReadonlyMap<string, number>;
}

async function countersOf(tx: Tx, tenantId: number, messageIds: readonly string[]): Promise<Counters> {
  const ids = plainArray(messageIds);
  const [counts, tallies, minutes] = await together(
    tx,
    () => COUNTS(tx, { ids }),
    () => TALLIES(tx, { ids }),
    () => MINUTES(tx, { tenantId, ids }),
  );
  return { counts, tallies, minutes: new Map(minutes.map((row) => [row.id, row.minutes])) };
}

const viewOf = (ctx: Context, row: MessageRow, { counts, tallies, minutes }: Counters): MessageView =>
  view(
    ctx,
    row,
    minutes.get(row.id) ?? null,
    counts.filter((c) => c.message_id === row.id),
    tallies.filter((t) => t.message_id === row.id),
  );

/** The deliveries in each state. */
const SUMS = sql.join(DELIVERY_STATES.map((state) => sql`sum(${sql.ref(state)})::float8 AS ${sql.ref(state)}`));

const COUNTS = prepared<{ ids: string }, WaveCounts>(
  'message_counts',
  (at) => sql`
    SELECT message_id, wave, channel, sum(units)::float8 AS units, max(settled_at) AS settled_at, ${SUMS}
    FROM delivery_counts
    WHERE message_id = ANY (${at('ids')}::bigint[])
    GROUP BY message_id, wave, channel
    ORDER BY message_id, wave, channel`,
);

const TALLIES = prepared<{ ids: string }, Tally>(
  'message_tallies',
  (at) => sql`
    SELECT message_id, kind, key, sum(n)::float8 AS n FROM tallies
    WHERE message_id = ANY (${at('ids')}::bigint[])
    GROUP BY message_id, kind, key`,
);

const MINUTES = prepared<{ tenantId: number; ids: string }, { id: string; minutes: number }>(
  'minutes_to_correction',
  (at) => sql`
    SELECT x.id, round(min(extract(epoch FROM f.launched_at - m.launched_at)) / 60, 1)::float8 AS minutes
    FROM messages f
    JOIN messages m ON m.tenant_id = f.tenant_id AND m.id = f.follows_id
    CROSS JOIN LATERAL (VALUES (f.id), (f.follows_id)) x(id)
    WHERE f.tenant_id = ${at('tenantId')}
      AND (f.follows_id = ANY (${at('ids')}::bigint[]) OR (f.id = ANY (${at('ids')}::bigint[]) AND f.follows_id IS NOT NULL))
      AND f.launched_at IS NOT NULL
      AND m.launched_at IS NOT NULL
      AND (f.kind = 'correction' OR (f.kind = 'all_clear' AND x.id = f.id))
    GROUP BY x.id`,
);

function view(ctx: Context, row: MessageRow, minutes: number | null, counts: WaveCounts[], tallies: Tally[]): MessageView {
  const deliveries = zero();
  const waves = counts.map(({ message_id: _, settled_at: __, ...wave }) => {
    let planned = 0;
    for (const state of DELIVERY_STATES) {
      deliveries[state] += wave[state];
      planned += wave[state];
    }
    return { ...wave, planned };
  });
  const of = (kind: string) => tallies.filter((t) => t.kind === kind);
  const sum = (kind: string) => of(kind).reduce((total, t) => total + t.n, 0);
  const joins = of('join').filter((t) => t.n > 0);
  const answers: Record<string, number> = Object.fromEntries(row.answers.map((option) => [option.key, 0]));
  for (const t of of('answer')) answers[t.key] = t.n;
  const audienceCount = row.audience_count === null ? null : Number(row.audience_count);
  const asked = row.launched_at === null ? 0 : Number(row.frozen_count);
  answers['none'] = Math.max(0, asked - sum('answer'));
  return {
    id: ctx.ids.encode('msg', row.id),
    state: row.state,
    class: row.class,
    drill: row.drill,
    kind: row.kind,
    followsId: row.follows_id && ctx.ids.encode('msg', row.follows_id),
    title: row.title,
    text: row.text,
    says: row.said,
    fallbackLocale: row.fallback_locale,
    answerOptions: row.answers.map(({ key, label, counts: c }) => ({ key, label, ...(c === undefined ? {} : { counts: c }) })),
    share: row.share,
    plan: planOf(row.class, row.channels as MessageInput['channels']),
    audience: { expression: row.audience as Audience, count: audienceCount, hash: row.audience_hash },
    deliveries,
    waves: waves.map((wave) => ({ ...wave, wave: wave.wave })),
    answers,
    spread: {
      shares: sum('share'),
      visits: sum('visit'),
      joins: sum('join'),
      generations: joins.reduce((deepest, t) => Math.max(deepest, Number(t.key) || 0), 0),
    },
    unreadBounces: sum('unread_bounce'),
    times: timesOf(row),
    createdBy: row.created_by,
    minutesToCorrection: minutes,
    stoppedBy: row.stopped_by,
    returned: row.returned,
    forecast: row.forecast as Forecast | null,
    fact: factOf(row, counts),
  };
}

const timesOf = (row: MessageRow): MessageView['times'] => ({
  createdAt: row.created_at.toISOString(),
  startAt: iso(row.start_at),
  expiresAt: iso(row.expires_at),
  launchedAt: iso(row.launched_at),
  firstCallAt: iso(row.first_call_at),
  lastCallAt: iso(row.last_call_at),
  completedAt: iso(row.completed_at),
  stoppedAt: iso(row.stopped_at),
});

/** Calls that were made, per channel over all waves, with times from launch. */
function factOf(row: MessageRow, counts: readonly WaveCounts[]): Fact | null {
  const { launched_at: launchedAt } = row;
  if (launchedAt === null) return null;
  const seconds = (at: Date | null): number | null => at && Math.max(0, (at.getTime() - launchedAt.getTime()) / 1000);
  const perChannel = CHANNELS.flatMap((channel) => {
    // People who join later are called later, and no forecast speaks of them.
    const waves = counts.filter((wave) => wave.channel === channel && wave.wave < JOIN_WAVE);
    const last = waves.reduce<Date | null>(
      (latest, { settled_at: at }) => (latest === null || (at !== null && at > latest) ? at : latest),
      null,
    );
    const people = waves.reduce((sum, wave) => sum + wave.accepted + wave.delivered + wave.unknown + wave.unresolved, 0);
    return waves.length === 0 ? [] : [{ channel, people, units: waves.reduce((sum, wave) => sum + wave.units, 0), seconds: seconds(last) }];
  });
  const ends = perChannel.flatMap((one) => one.seconds ?? []);
  return { firstCallSeconds: seconds(row.first_call_at), seconds: ends.length > 0 ? Math.max(...ends) : null, perChannel };
}
