import { audienceCondition } from '#db/audience-sql.ts';
import { type PreviewGroup, previewGroups } from '#db/audience-preview-sql.ts';
import type { Tx } from '#db/database.ts';
import { forecast } from '#domain/forecast.ts';
import { planOf } from '#domain/plan.ts';
import { Problem } from '#platform/errors.ts';
import { assertSlots } from '#render/render-message.ts';
import { CHANNELS, type Channel } from '#schemas/delivery.ts';
import type { PlanStep, PreviewInput } from '#schemas/message.ts';
import type { PreviewView } from '#schemas/views.ts';
import { type Context, inTenant } from './context.ts';
import { unknownIds } from './create-message.ts';
import { sendersFor } from './plan-wave.ts';
import { previewText, type TextPreview } from './preview-text.ts';

type Warning = PreviewView['warnings'][number];
interface Sender {
  id: number;
  unitsPerSecond: number | null;
  stopped: boolean;
}
type Senders = Partial<Record<Channel, Sender>>;

/**
 * What a message would do now: how many people by which channel, whom nothing reaches, how many SMS segments, and when the
 * last person is reached. `count` = people with a channel + unreachable + suppressed. With an explicit plan a channel
 * counts everybody whom any of its waves could call, since nobody knows yet who will have answered.
 *
 * @throws Problem 422 naming unknown ids (`audience.ids[3]`) or slots (`text.en`)
 */
export async function previewAudience(ctx: Context, input: PreviewInput): Promise<PreviewView> {
  const errors = [...unknownIds(ctx, input.audience, 'audience'), ...assertSlots(input.text ?? {})];
  if (errors.length > 0) throw new Problem(422, 'invalid_request', errors.map((error) => `${error.field}: ${error.detail}`).join('; '), { errors });
  const plan = planOf(input.class, input.channels);
  const facts = await inTenant(ctx, (tx) => readFacts(tx, ctx, input, plan));
  const text = previewText(ctx, input, facts.tenant, facts.groups);
  const sum = (key: 'people' | 'unreachable' | 'suppressed' | Channel): number => facts.groups.reduce((total, group) => total + group[key], 0);
  const channels = { push: sum('push'), sms: sum('sms'), email: sum('email') };
  const used = CHANNELS.filter((channel) => plan.some((step) => step.channels.includes(channel)));
  const unitsOf = (channel: Channel): number => (channel === 'sms' && input.text ? text.units : channels[channel]);
  return {
    count: sum('people'),
    hash: facts.groups.reduce((hash, group) => BigInt.asIntN(64, hash ^ BigInt(group.hash)), 0n).toString(),
    channels,
    unreachable: sum('unreachable'),
    suppressed: sum('suppressed'),
    segments: text.segments,
    units: text.units,
    encoding: text.encoding,
    culprits: text.culprits,
    forecast: forecast(
      used.map((channel) => ({ channel, people: channels[channel], units: unitsOf(channel), unitsPerSecond: facts.senders[channel]?.unitsPerSecond ?? null })),
    ),
    warnings: warningsOf(used, facts.senders, sum('people'), text),
  };
}

async function readFacts(tx: Tx, ctx: Context, input: PreviewInput, plan: PlanStep[]) {
  const { tenantId } = ctx;
  const tenant = await tx.selectFrom('tenants').select(['name', 'default_locale']).where('tenant_id', '=', tenantId).executeTakeFirstOrThrow();
  const chosen = await sendersFor(tx, tenantId, input.class, input.drill);
  const senders = await ratesOf(tx, tenantId, chosen);
  const texts = Object.values(input.text ?? {}).join('\n');
  const groups: PreviewGroup[] = await previewGroups(tx, {
    tenantId,
    condition: audienceCondition(input.audience, (id) => ctx.ids.decode('rcp', id)),
    class: input.class,
    plan,
    senders: chosen,
    usesName: /\{\{\s*name\s*\}\}/.test(texts),
    usesFirstName: /\{\{\s*first_name\s*\}\}/.test(texts),
    byLocale: input.text !== undefined,
  });
  return { tenant, senders, groups };
}

async function ratesOf(tx: Tx, tenantId: number, chosen: Partial<Record<Channel, number>>): Promise<Senders> {
  const ids = Object.values(chosen);
  if (ids.length === 0) return {};
  const rows = await tx
    .selectFrom('senders')
    .select(['id', 'channel', 'units_per_second', 'throttle', 'stopped_at'])
    .where('tenant_id', '=', tenantId)
    .where('id', 'in', ids)
    .execute();
  // A throttled sender goes slower than its limit for now, and the forecast says so.
  return Object.fromEntries(
    rows.map((row) => [
      row.channel,
      { id: row.id, unitsPerSecond: row.units_per_second === null ? null : row.units_per_second * row.throttle, stopped: row.stopped_at !== null },
    ]),
  );
}

const NAMES: Record<Channel, string> = { push: 'push', sms: 'SMS', email: 'e-mail' };

function warningsOf(used: readonly Channel[], senders: Senders, people: number, text: TextPreview): Warning[] {
  const warnings: Warning[] = [];
  if (people === 0) warnings.push({ code: 'empty_audience', detail: 'Nobody matches this audience.' });
  for (const channel of used) {
    if (!senders[channel])
      warnings.push({ code: 'no_sender', detail: `No sender for ${NAMES[channel]} serves this kind of message, so it reaches nobody that way.` });
    else if (senders[channel].stopped)
      warnings.push({ code: 'sender_stopped', detail: `The sender for ${NAMES[channel]} is stopped: messages wait until it is released.` });
  }
  if (text.namesOutsideGsm > 0)
    warnings.push({
      code: 'names_cost_more',
      detail: `${text.namesOutsideGsm} names hold characters outside GSM-7, so that their SMS hold 70 characters instead of 160.`,
    });
  return warnings;
}
