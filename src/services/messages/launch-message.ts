import { type AudienceCount, audienceCondition, countAndHash } from '#db/audience/audience-sql.ts';
import { inOnePacket, type Tx } from '#db/database.ts';
import { lockForLaunch } from '#db/delivery/stop-lock.ts';
import { type ExpiryProblem, expiryOf, planOf } from '#domain/message/plan.ts';
import { policyOf } from '#domain/message/policy.ts';
import { conflict, invalidField, Problem } from '#platform/errors.ts';
import type { Audience } from '#schemas/audience.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { deliverJob } from '#schemas/jobs.ts';
import type { MessageInput, Question } from '#schemas/message.ts';
import type { MessageView } from '#schemas/views.ts';
import { approvalRule } from './approval-rule.ts';
import { askFirst } from './ask-first.ts';
import { appendAudits, type AuditEntry } from '#services/audit.ts';
import { type Context, inTenant, requireScope } from '#services/context.ts';
import { type LaunchFacts, launchFacts } from '#services/organisations/launch-facts.ts';
import type { WaveRow } from '#services/planning/plan-pages.ts';
import { announceWaves, beginWaves, type BegunWave } from '#services/planning/plan-wave.ts';
import { chosenOf } from '#services/organisations/senders-for.ts';
import { loadMessage, messageIdOf, type MessageRow } from '#services/message-row.ts';
import { launchWording } from './wording.ts';
import { viewMessage } from './message-view.ts';

export interface LaunchInput {
  /** Refuse unless the audience still has this hash. */
  audienceHash?: string | undefined;
  /** Questions that were asked before and are meant all the same. */
  acknowledge?: readonly Question[] | undefined;
  /** What the same transaction has just counted. */
  counted?: AudienceCount;
  /** What it did before the launch, for the audit log. */
  before?: readonly AuditEntry[];
}

/**
 * Has workers let campaigns rest while a life message is counted and written down, which takes twice as long beside one in
 * full flow: 110 ms instead of 50. Told before anything is known of it; if it is refused, they rested for a fifth of a second.
 */
export function announceLife(ctx: Context, messageClass: MessageClass): void {
  if (messageClass === 'life' && ctx.actor.scopes.has('send:life')) void ctx.queue.nudge(deliverJob('life'), { messageId: null });
}

/**
 * Launches a draft now, or schedules it for its `startAt`.
 * @throws Problem 409 wrong state, audience changed, approval needed; 422 empty audience, expired
 */
export async function launchMessage(ctx: Context, publicId: string, input: LaunchInput = {}): Promise<MessageView> {
  const id = messageIdOf(ctx, publicId);
  const { view, waves } = await inTenant(ctx, async (tx) => {
    const [row, facts] = await Promise.all([loadMessage(tx, ctx, publicId, true), launchFacts(tx, ctx.tenantId)]);
    const due = await launchInTx(tx, ctx, { row, facts }, input);
    const launched = await viewMessage(tx, ctx, id);
    await ctx.idempotency?.complete(tx, 202, launched);
    return { view: launched, waves: due };
  });
  await announceWaves(ctx, waves);
  return view;
}

export interface Launching {
  /** Locked by this transaction, or written by it: that decides the race between two launches. */
  readonly row: MessageRow;
  readonly facts: LaunchFacts;
}

/** The launch itself, inside the caller's transaction. */
export async function launchInTx(tx: Tx, ctx: Context, { row, facts }: Launching, input: LaunchInput): Promise<BegunWave[]> {
  requireScope(ctx, `send:${row.class}`);
  if (row.state !== 'draft') throw conflict('not_a_draft', `The message is ${row.state}; only a draft can be launched.`, { state: row.state });
  checkTenant(ctx, row, facts);
  const now = ctx.clock.now();
  const expiry = expiryOf(row.class, row.expires_at?.getTime() ?? null, row.start_at?.getTime() ?? null, now);
  if ('code' in expiry) throw expiryProblem(expiry);
  const said = await launchWording(tx, row, facts);
  if (!input.counted) announceLife(ctx, row.class);
  const condition = audienceCondition(row.audience as Audience, (id) => ctx.ids.decode('rcp', id));
  const counted = input.counted ?? (await countAndHash(tx, ctx.tenantId, condition));
  if (counted.count === 0) throw invalidField('audience', 'empty_audience', 'The audience is empty: nobody matches it.');
  if (input.audienceHash !== undefined && input.audienceHash !== counted.hash)
    throw conflict('audience_changed', 'The audience is no longer the one that was shown: look at it again and launch with its new hash.', {
      count: counted.count,
      hash: counted.hash,
    });
  inOnePacket(tx);
  const startsAt = Math.max(row.start_at?.getTime() ?? now, now);
  const approval = checkApproval(tx, ctx, { row, facts }, counted);
  const asked = askFirst(tx, ctx, row, { tenant: facts, condition, startsAt, acknowledged: input.acknowledge ?? [] });
  asked.catch(() => undefined);
  const approvalNeeded = await approval;
  await asked;
  const scheduled = row.start_at !== null && row.start_at.getTime() > now;
  inOnePacket(tx);
  const audited = appendAudits(tx, ctx, [
    ...(input.before ?? []),
    {
      action: scheduled ? 'message.schedule' : 'message.launch',
      object: row.id,
      detail: { count: counted.count, hash: counted.hash, ...acknowledgedIn(input) },
    },
  ]);
  audited.catch(() => undefined);
  const launched = tx
    .updateTable('messages')
    .set({
      state: scheduled ? 'scheduled' : 'live',
      audience_count: String(counted.count),
      audience_hash: counted.hash,
      audience_max_id: counted.maxId,
      approval_needed: approvalNeeded,
      returned: null,
      said: said && JSON.stringify(said),
      expires_at: new Date(expiry.expiresAt),
      launched_at: scheduled ? null : new Date(now),
      launched_by: ctx.actor.label,
    })
    .where('tenant_id', '=', ctx.tenantId)
    .where('id', '=', row.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  const [message, waves] = await Promise.all([launched, scheduled ? [] : writeWaves(tx, ctx.tenantId, [row], now)]);
  inOnePacket(tx);
  const senders = chosenOf(
    facts.senders.filter((sender) => sender.drill === row.drill),
    row.class,
  );
  const [begun] = await Promise.all([beginWaves(tx, ctx, waves, { message, senders, count: counted.count }), audited]);
  if (!scheduled && counts(row, facts)) await lockForLaunch(tx, ctx.tenantId);
  return begun;
}

/** Whether the ceiling per person and hour holds for it. */
const counts = (row: Pick<MessageRow, 'class'>, { policy }: Pick<LaunchFacts, 'policy'>): boolean =>
  row.class !== 'life' && policyOf(policy).hourlyCeiling !== null;

/** What was acknowledged together with an act, for the audit log. */
export const acknowledgedIn = ({ acknowledge = [] }: { acknowledge?: readonly Question[] | undefined }): { acknowledged?: readonly Question[] } =>
  acknowledge.length === 0 ? {} : { acknowledged: acknowledge };

/** Writes the plans' waves, due from now on; returns those that are due at once. */
export async function writeWaves(tx: Tx, tenantId: number, rows: readonly Pick<MessageRow, 'id' | 'class' | 'channels'>[], now: number): Promise<WaveRow[]> {
  const values = rows.flatMap((row) =>
    planOf(row.class, row.channels as MessageInput['channels']).map((step, ordinal) => ({
      tenant_id: tenantId,
      message_id: row.id,
      ordinal,
      channels: step.channels,
      mode: step.mode,
      selects: step.to,
      recipient_ids: null,
      due_at: new Date(now + step.afterSeconds * 1000),
    })),
  );
  if (values.length === 0) return [];
  const waves = await tx.insertInto('waves').values(values).returningAll().execute();
  return waves.filter((wave) => wave.due_at.getTime() <= now);
}

function checkTenant(ctx: Context, row: MessageRow, facts: LaunchFacts): void {
  if (facts.suspendedAt) throw conflict('tenant_suspended', 'This organisation is suspended; nothing can be sent.');
  if (facts.installationStoppedBy === 'restore')
    throw conflict('stopped', 'This installation was restored from a backup. Nothing is sent until an operator has looked at it and releases it.');
  if (facts.stoppedAt || facts.installationStoppedAt) throw conflict('stopped', 'Sending is stopped. Release the stop first, then launch.');
  const steps = planOf(row.class, row.channels as MessageInput['channels']);
  const channels = [...new Set(steps.flatMap((step) => step.channels))];
  const used = facts.senders.filter((sender) => sender.drill === row.drill && channels.includes(sender.channel) && sender.classes.includes(row.class));
  if (ctx.actor.mode === 'test' && used.some((sender) => !sender.simulated))
    throw new Problem(403, 'test_key', 'A test key reaches simulated senders alone; this message would leave by a real one. Use a live key.');
  if (used.length === 0) throw invalidField('channels', 'no_sender', `No ${row.drill ? 'drill ' : ''}sender is set up for ${channels.join(', ')}.`);
}

/** @returns whether a second person's approval was needed, and is there */
async function checkApproval(tx: Tx, ctx: Context, { row, facts }: Launching, counted: { count: number; hash: string }): Promise<boolean> {
  const rule = await approvalRule(tx, ctx.tenantId, row, counted.count, facts);
  if (!rule) return false;
  if (row.approved_at === null) {
    const many = rule.rule === 'doubling' ? `${rule.limit} people are twice the largest message so far, and these are more` : `More than ${rule.limit} people`;
    throw conflict('approval_required', `${many}: a second person must approve this ${row.class} message first.`, { count: counted.count, ...rule });
  }
  if (row.audience_hash !== counted.hash)
    throw conflict('audience_changed', 'The audience changed after the approval; it must be approved again.', { count: counted.count, hash: counted.hash });
  return true;
}

const expiryProblem = (problem: ExpiryProblem): Problem => invalidField('expiresAt', problem.code, problem.detail);
