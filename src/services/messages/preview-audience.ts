import { peopleAtCeiling } from '#db/audience/at-ceiling.ts';
import { expiryOf, planOf } from '#domain/message/plan.ts';
import { wordingOf } from '#domain/message/wording.ts';
import { invalidFields } from '#platform/errors.ts';
import { assertSlots } from '#render/render-message.ts';
import { byChannel, type Channel, factsOf } from '#schemas/channel-facts.ts';
import type { PreviewInput } from '#schemas/message.ts';
import type { Forecast, PreviewView } from '#schemas/views.ts';
import { channelsOf, type ForecastFacts, forecastFacts, forecastOf } from '#services/forecast/audience-forecast.ts';
import { type Context, inTenant } from '#services/context.ts';
import { conditionOf } from './audience-condition.ts';
import { unknownIds } from './check-message.ts';
import { previewText, type TextPreview } from '#services/forecast/preview-text.ts';
import { standingWording } from './wording.ts';

type Warning = PreviewView['warnings'][number];

/**
 * Tells what a message would do now: how many people by which channel, whom nothing reaches, how many SMS segments, and when
 * the last person is reached. `count` = people with a channel + unreachable + suppressed. With an explicit plan a channel
 * counts everybody whom any of its waves could call, since nobody knows yet who will have answered.
 *
 * @throws Problem 422 naming unknown ids (`audience.ids[3]`) or slots (`text.en`)
 */
export async function previewAudience(ctx: Context, input: PreviewInput): Promise<PreviewView> {
  const errors = [...unknownIds(ctx, input.audience, 'audience'), ...assertSlots(input.text ?? {})];
  if (errors.length > 0) throw invalidFields('invalid_request', errors);
  const plan = planOf(input.class, input.channels);
  const times = timesOf(ctx, input);
  const condition = conditionOf(ctx, input.audience);
  const { facts, atCeiling } = await inTenant(ctx, async (tx) => {
    const found = await forecastFacts(tx, ctx.tenantId, { ...input, plan, text: input.text, condition });
    const { ceiling } = found;
    return { facts: found, atCeiling: ceiling === null ? 0 : await peopleAtCeiling(tx, ctx.tenantId, condition, ceiling) };
  });
  const said = wordingOf(Object.keys(input.text ?? {}), input.says ?? {}, input.class === 'life' ? standingWording(facts.tenant) : {});
  const text = previewText(ctx, { ...input, said, endsAt: times.endsAt }, facts.tenant, facts.groups);
  const sum = (key: 'people' | 'unreachable' | 'suppressed' | Channel): number =>
    facts.groups.reduce((total, group) => total + group[key], 0);
  const expected = forecastOf(facts, { class: input.class, plan }, text, times.startsAt, times.endsAt);
  return {
    count: sum('people'),
    hash: facts.groups.reduce((hash, group) => BigInt.asIntN(64, hash ^ BigInt(group.hash)), 0n).toString(),
    channels: byChannel(sum),
    unreachable: sum('unreachable'),
    suppressed: sum('suppressed'),
    atCeiling,
    segments: text.segments,
    units: text.units,
    encoding: text.encoding,
    culprits: text.culprits,
    forecast: expected,
    warnings: [
      ...warningsOf(channelsOf(plan), facts, sum('people'), text),
      ...ceilingWarnings(atCeiling, facts.ceiling),
      ...timeWarnings(expected, facts),
    ],
  };
}

/** The times as a launch would have them; it is for the launch to refuse a wrong one. */
function timesOf(ctx: Context, input: PreviewInput): { startsAt: number; endsAt: number | null } {
  const now = ctx.clock.now();
  const startsAt = Math.max(now, input.startAt === undefined ? now : Date.parse(input.startAt));
  const expiry = expiryOf(input.class, input.expiresAt === undefined ? null : Date.parse(input.expiresAt), startsAt, now);
  return { startsAt, endsAt: 'code' in expiry ? null : expiry.expiresAt };
}

function warningsOf(used: readonly Channel[], { senders }: ForecastFacts, people: number, text: TextPreview): Warning[] {
  const warnings: Warning[] = [];
  if (people === 0) warnings.push({ code: 'empty_audience', detail: 'Nobody matches this audience.' });
  for (const channel of used) {
    const { inText } = factsOf(channel).names;
    if (!senders[channel])
      warnings.push({ code: 'no_sender', detail: `No sender for ${inText} serves this kind of message, so it reaches nobody that way.` });
    else if (senders[channel].stopped)
      warnings.push({ code: 'sender_stopped', detail: `The sender for ${inText} is stopped: messages wait until it is released.` });
    else if (senders[channel].failing)
      warnings.push({ code: 'sender_failing', detail: `The provider behind ${inText} fails now: campaigns wait until it answers again.` });
  }
  if (text.namesOutsideGsm > 0)
    warnings.push({
      code: 'names_cost_more',
      detail: `${text.namesOutsideGsm} names hold characters outside GSM-7, so that their SMS hold 70 characters instead of 160.`,
    });
  return warnings;
}

/** Warns of the people whom the mark will leave out (`hourly_ceiling`). */
function ceilingWarnings(people: number | null, ceiling: number | null): Warning[] {
  if (people === 0) return [];
  const who = people === null ? 'Some people may' : `${people} of these people`;
  return [
    {
      code: 'hourly_ceiling',
      detail: `${who} have had ${ceiling} messages within the hour, which is this organisation's limit for one person: they are left out.`,
    },
  ];
}

/** Warns of people who have to wait for the morning, and of those whose turn comes too late. */
function timeWarnings({ perChannel }: Forecast, { quiet }: ForecastFacts): Warning[] {
  const warnings: Warning[] = [];
  const calls = (key: 'held' | 'late'): number => perChannel.reduce((sum, row) => sum + row[key], 0);
  if (quiet && calls('held') > 0)
    warnings.push({
      code: 'quiet_hours',
      detail: `It is quiet time (${quiet.from} to ${quiet.to}) where ${calls('held')} of these calls go; they wait until it ends.`,
    });
  if (calls('late') > 0)
    warnings.push({
      code: 'too_late',
      detail:
        `At this rate the turn of about ${calls('late')} calls comes only after the message has ended, so they are not made: ` +
        'let it end later, or use a faster sender or channel.',
    });
  return warnings;
}
