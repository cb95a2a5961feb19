import { type SqlBool, sql } from 'kysely';
import { type AudienceCount, countAndHash } from '#db/audience/audience-sql.ts';
import type { Tx } from '#db/database.ts';
import { lockForLaunch } from '#db/delivery/stop-lock.ts';
import type { ReturnReason } from '#schemas/delivery.ts';
import { approvalRule } from './approval-rule.ts';
import { appendAudits } from '#services/audit.ts';
import { type Context, type Deps, notifyProgressOf, systemActor } from '#services/context.ts';
import { writeWaves } from '#services/planning/write-waves.ts';
import { conditionOf } from './audience-condition.ts';
import type { MessageRow } from '#services/message-row.ts';
import type { DueWave } from '#services/planning/plan-wave.ts';

/** So many are started in one transaction: a thousand launches due in one second are ten commits, shared among the workers. */
const TOGETHER = 100;
/** A start that comes this late (the installation was down, or restored from a backup) is left to a human. */
const LATE_MS = 15 * 60_000;

type Scheduled = Pick<
  MessageRow,
  'id' | 'class' | 'drill' | 'channels' | 'audience' | 'audience_count' | 'audience_hash' | 'audience_max_id' | 'approval_needed'
> & {
  late: boolean;
  now: Date;
};

/**
 * Starts what a tenant has scheduled and is due. Each worker takes messages that nobody else holds, so that any number of
 * them share the work and every start happens once. People may have changed since somebody scheduled it: an approval is
 * for the people of its moment, so then it goes back to a draft, as it does when it is missed by long or reaches nobody.
 *
 * @returns waves that may be planned at once
 */
export async function startScheduled(deps: Deps, tenantId: number): Promise<DueWave[]> {
  const ctx: Context = { ...deps, tenantId, actor: systemActor, requestId: 'sweep' };
  const waves: DueWave[] = [];
  for (;;) {
    const step = await deps.db.withTenant(tenantId, (tx) => startSome(tx, ctx));
    waves.push(...step.waves);
    if (step.taken < TOGETHER) return waves;
  }
}

async function startSome(tx: Tx, ctx: Context): Promise<{ taken: number; waves: DueWave[] }> {
  const { tenantId } = ctx;
  const { rows } = await sql<Scheduled>`
    SELECT id, class, drill, channels, audience, audience_count, audience_hash, audience_max_id, approval_needed,
      start_at < now() - ${LATE_MS} * interval '1 ms' AS late, now() AS now
    FROM messages
    WHERE tenant_id = ${tenantId} AND state = 'scheduled' AND start_at <= now()
    ORDER BY start_at, id
    LIMIT ${TOGETHER}
    FOR UPDATE SKIP LOCKED`.execute(tx);
  if (rows.length === 0) return { taken: 0, waves: [] };
  const started: { row: Scheduled; people: AudienceCount }[] = [];
  const returned: { row: Scheduled; reason: ReturnReason }[] = [];
  const count = counter(tx, ctx);
  for (const row of rows) {
    const people = await count(row);
    const reason = await whyNot(tx, ctx, row, people);
    if (reason) returned.push({ row, reason });
    else started.push({ row, people });
  }
  if (returned.length > 0) await giveBack(tx, ctx, returned);
  if (started.length > 0) await start(tx, ctx, started);
  await appendAudits(tx, ctx, [
    ...started.map(({ row, people }) => ({
      action: 'message.launch',
      object: row.id,
      detail: { scheduled: true, count: people.count, hash: people.hash },
    })),
    ...returned.map(({ row, reason }) => ({ action: `message.${reason}`, object: row.id })),
  ]);
  await notifyProgressOf(
    tx,
    tenantId,
    rows.map((row) => row.id),
  );
  const now = rows[0]?.now.getTime() ?? 0;
  const waves = await writeWaves(
    tx,
    tenantId,
    started.map(({ row }) => row),
    now,
  );
  if (started.some(({ row }) => row.class !== 'life')) await lockForLaunch(tx, tenantId);
  return { taken: rows.length, waves: waves.map(({ id }) => ({ tenantId, waveId: id })) };
}

/** Equal audiences are counted once: a thousand launches to everybody must not read everybody a thousand times. */
function counter(tx: Tx, ctx: Context): (row: Scheduled) => Promise<AudienceCount> {
  const counted = new Map<string, Promise<AudienceCount>>();
  return (row) => {
    const key = JSON.stringify([row.audience, row.audience_max_id]);
    let people = counted.get(key);
    if (!people) {
      const condition = conditionOf(ctx, row.audience);
      // Recipients who were added after somebody decided are not meant.
      const known = sql<SqlBool>`(${condition} AND r.id <= ${row.audience_max_id})`;
      people = countAndHash(tx, ctx.tenantId, row.audience_max_id === null ? condition : known);
      counted.set(key, people);
    }
    return people;
  };
}

async function whyNot(tx: Tx, ctx: Context, row: Scheduled, people: AudienceCount): Promise<ReturnReason | undefined> {
  if (row.late) return 'missed_start';
  if (people.count === 0) return 'empty_audience';
  if (people.hash === row.audience_hash && people.count === Number(row.audience_count)) return undefined;
  if (row.approval_needed || (await approvalRule(tx, ctx.tenantId, row, people.count))) return 'audience_changed';
  return undefined;
}

async function giveBack(tx: Tx, ctx: Context, returned: readonly { row: Scheduled; reason: ReturnReason }[]): Promise<void> {
  for (const { row, reason } of returned)
    ctx.log.warn({ messageId: row.id, reason }, 'scheduled start not made: back to a draft, a human decides');
  const ids = returned.map(({ row }) => row.id);
  const reasons = returned.map(({ reason }) => reason);
  await sql`
    UPDATE messages m SET state = 'draft', returned = x.reason, approval_needed = false, launched_by = NULL
    FROM unnest(${ids}::bigint[], ${reasons}::text[]) x(id, reason)
    WHERE m.tenant_id = ${ctx.tenantId} AND m.id = x.id`.execute(tx);
}

async function start(tx: Tx, ctx: Context, started: readonly { row: Scheduled; people: AudienceCount }[]): Promise<void> {
  const ids = started.map(({ row }) => row.id);
  const counts = started.map(({ people }) => people.count);
  const hashes = started.map(({ people }) => people.hash);
  await sql`
    UPDATE messages m SET state = 'live', launched_at = now(), audience_count = x.count, audience_hash = x.hash
    FROM unnest(${ids}::bigint[], ${counts}::bigint[], ${hashes}::bigint[]) x(id, count, hash)
    WHERE m.tenant_id = ${ctx.tenantId} AND m.id = x.id`.execute(tx);
}
