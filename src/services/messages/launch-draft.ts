import { type AudienceCount, type Condition, countAndHash } from '#db/audience/audience-sql.ts';
import { together, type Tx } from '#db/database.ts';
import { lockForLaunch } from '#db/delivery/stop-lock.ts';
import { drillProblems } from '#domain/message/drill-text.ts';
import { type ExpiryProblem, expiryOf, planOf } from '#domain/message/plan.ts';
import { policyOf } from '#domain/message/policy.ts';
import { conflict, invalidField, invalidFields, Problem } from '#platform/errors.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { deliverJob } from '#schemas/jobs.ts';
import type { MessageInput, Question } from '#schemas/message.ts';
import type { Wording } from '#schemas/wording.ts';
import { appendAudits, type AuditEntry } from '#services/audit.ts';
import { type Context, requireScope } from '#services/context.ts';
import type { MessageRow } from '#services/message-row.ts';
import type { LaunchFacts } from '#services/organisations/launch-facts.ts';
import { chosenOf } from '#services/organisations/senders-for.ts';
import { beginWaves, type BegunWave } from '#services/planning/plan-wave.ts';
import { writeWaves } from '#services/planning/write-waves.ts';
import { approvalRule } from './approval-rule.ts';
import { askFirst } from './ask-first.ts';
import { conditionOf } from './audience-condition.ts';
import { launchWording } from './wording.ts';

export interface LaunchInput {
  /** The launch is refused unless the audience still has this hash. */
  audienceHash?: string | undefined;
  /** Questions that were asked before and are meant all the same. */
  acknowledge?: readonly Question[] | undefined;
}

export interface Launching {
  /** The transaction has locked the row, or written it: that decides the race between two launches. */
  readonly row: MessageRow;
  readonly facts: LaunchFacts;
}

/** What a message comes to at this moment. It is worked out once for each launch. */
export interface Resolved {
  /** Over alias `r`. */
  readonly condition: Condition;
  readonly counted: AudienceCount;
  readonly wording: Wording | null;
  readonly expiresAt: Date;
}

/** What the caller's transaction has done before the launch. */
export interface Before {
  readonly resolved?: Resolved;
  readonly audits?: readonly AuditEntry[];
}

/**
 * Lets campaigns rest while a life message is counted and written, which takes twice as long beside a campaign in full flow:
 * 110 ms instead of 50. Workers are told before anything is known of the message; if it is refused, they have rested for a
 * fifth of a second.
 */
export function announceLife(ctx: Context, messageClass: MessageClass): void {
  if (messageClass === 'life' && ctx.actor.scopes.has('send:life')) void ctx.queue.nudge(deliverJob('life'), { messageId: null });
}

/** What was acknowledged together with an act, for the audit log. */
export const acknowledgedIn = ({ acknowledge = [] }: Pick<LaunchInput, 'acknowledge'>): { acknowledged?: readonly Question[] } =>
  acknowledge.length === 0 ? {} : { acknowledged: acknowledge };

/**
 * Launches or schedules a draft inside the caller's transaction.
 * @returns the waves that have begun, for `announceWaves` after the commit
 * @throws Problem as `launchMessage` says
 */
export async function launchDraft(
  tx: Tx,
  ctx: Context,
  launching: Launching,
  input: LaunchInput,
  before: Before = {},
): Promise<BegunWave[]> {
  const { row, facts } = launching;
  requireScope(ctx, `send:${row.class}`);
  if (row.state !== 'draft')
    throw conflict('not_a_draft', `The message is ${row.state}; only a draft can be launched.`, { state: row.state });
  checkTenant(ctx, row, facts);
  // The organisation may have been renamed since the draft was written.
  const denied = drillProblems({ drill: row.drill, text: {}, tenantName: facts.name });
  if (denied.length > 0) throw invalidFields('invalid_message', denied);
  const now = ctx.clock.now();
  const resolved = before.resolved ?? (await resolve(tx, ctx, launching, now));
  const { counted } = resolved;
  checkAudience(counted, input);
  const startsAt = Math.max(row.start_at?.getTime() ?? now, now);
  const asking = { tenant: facts, condition: resolved.condition, startsAt, acknowledged: input.acknowledge ?? [] };
  const [approvalNeeded] = await together(
    tx,
    () => checkApproval(tx, ctx, launching, counted),
    () => askFirst(tx, ctx, row, asking),
  );
  const scheduled = row.start_at !== null && row.start_at.getTime() > now;
  const entry: AuditEntry = {
    action: scheduled ? 'message.schedule' : 'message.launch',
    object: row.id,
    detail: { count: counted.count, hash: counted.hash, ...acknowledgedIn(input) },
  };
  const [begun] = await together(
    tx,
    () => begin(tx, ctx, launching, { resolved, approvalNeeded, scheduled, now }),
    () => appendAudits(tx, ctx, [...(before.audits ?? []), entry]),
  );
  if (!scheduled && isBoundByCeiling(row, facts)) await lockForLaunch(tx, ctx.tenantId);
  return begun;
}

async function resolve(tx: Tx, ctx: Context, { row, facts }: Launching, now: number): Promise<Resolved> {
  const expiry = expiryOf(row.class, row.expires_at?.getTime() ?? null, row.start_at?.getTime() ?? null, now);
  if ('code' in expiry) throw expiryProblem(expiry);
  const wording = await launchWording(tx, row, facts);
  announceLife(ctx, row.class);
  const condition = conditionOf(ctx, row.audience);
  return { condition, counted: await countAndHash(tx, ctx.tenantId, condition), wording, expiresAt: new Date(expiry.expiresAt) };
}

interface Beginning {
  readonly resolved: Resolved;
  readonly approvalNeeded: boolean;
  readonly scheduled: boolean;
  readonly now: number;
}

/** Writes the message's new state and its waves, and plans the first page of those that are due. */
async function begin(
  tx: Tx,
  ctx: Context,
  { row, facts }: Launching,
  { resolved, approvalNeeded, scheduled, now }: Beginning,
): Promise<BegunWave[]> {
  const { counted, wording, expiresAt } = resolved;
  const launched = {
    state: scheduled ? ('scheduled' as const) : ('live' as const),
    audience_count: String(counted.count),
    audience_hash: counted.hash,
    audience_max_id: counted.maxId,
    approval_needed: approvalNeeded,
    returned: null,
    said: wording && JSON.stringify(wording),
    expires_at: expiresAt,
    launched_at: scheduled ? null : new Date(now),
    launched_by: ctx.actor.label,
  };
  const own = tx.updateTable('messages').set(launched).where('tenant_id', '=', ctx.tenantId).where('id', '=', row.id);
  const [message, waves] = await together(
    tx,
    () => own.returningAll().executeTakeFirstOrThrow(),
    () => (scheduled ? Promise.resolve([]) : writeWaves(tx, ctx.tenantId, [row], now)),
  );
  const senders = chosenOf(
    facts.senders.filter((sender) => sender.drill === row.drill),
    row.class,
  );
  const [begun] = await together(tx, () => beginWaves(tx, ctx, waves, { message, senders, count: counted.count }));
  return begun;
}

/** Whether the ceiling per person and hour holds for a message. */
const isBoundByCeiling = (row: Pick<MessageRow, 'class'>, { policy }: Pick<LaunchFacts, 'policy'>): boolean =>
  row.class !== 'life' && policyOf(policy).hourlyCeiling !== null;

function checkTenant(ctx: Context, row: MessageRow, facts: LaunchFacts): void {
  if (facts.suspendedAt) throw conflict('tenant_suspended', 'This organisation is suspended; nothing can be sent.');
  if (facts.installationStoppedBy === 'restore')
    throw conflict(
      'stopped',
      'This installation was restored from a backup. Nothing is sent until an operator has looked at it and releases it.',
    );
  if (facts.stoppedAt || facts.installationStoppedAt) throw conflict('stopped', 'Sending is stopped. Release the stop first, then launch.');
  const steps = planOf(row.class, row.channels as MessageInput['channels']);
  const channels = [...new Set(steps.flatMap((step) => step.channels))];
  const used = facts.senders.filter(
    ({ drill, channel, classes }) => drill === row.drill && channels.includes(channel) && classes.includes(row.class),
  );
  if (ctx.actor.mode === 'test' && used.some((sender) => !sender.simulated))
    throw new Problem(
      403,
      'test_key',
      'A test key reaches simulated senders alone; this message would leave by a real one. Use a live key.',
    );
  if (used.length === 0)
    throw invalidField('channels', 'no_sender', `No ${row.drill ? 'drill ' : ''}sender is set up for ${channels.join(', ')}.`);
}

function checkAudience(counted: AudienceCount, { audienceHash }: LaunchInput): void {
  if (counted.count === 0) throw invalidField('audience', 'empty_audience', 'The audience is empty: nobody matches it.');
  if (audienceHash === undefined || audienceHash === counted.hash) return;
  throw conflict('audience_changed', 'The audience is no longer the one that was shown: look at it again and launch with its new hash.', {
    count: counted.count,
    hash: counted.hash,
  });
}

/** @returns whether a second person's approval was needed, and is there */
async function checkApproval(tx: Tx, ctx: Context, { row, facts }: Launching, counted: AudienceCount): Promise<boolean> {
  const rule = await approvalRule(tx, ctx.tenantId, row, counted.count, facts);
  if (!rule) return false;
  if (row.approved_at === null) {
    const more = `${rule.limit} people are twice the largest message so far, and these are more`;
    const many = rule.rule === 'doubling' ? more : `More than ${rule.limit} people`;
    throw conflict('approval_required', `${many}: a second person must approve this ${row.class} message first.`, {
      count: counted.count,
      ...rule,
    });
  }
  if (row.audience_hash !== counted.hash)
    throw conflict('audience_changed', 'The audience changed after the approval; it must be approved again.', {
      count: counted.count,
      hash: counted.hash,
    });
  return true;
}

const expiryProblem = (problem: ExpiryProblem): Problem => invalidField('expiresAt', problem.code, problem.detail);
