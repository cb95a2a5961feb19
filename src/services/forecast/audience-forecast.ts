import { type PreviewGroup, previewGroups } from '#db/audience/audience-preview-sql.ts';
import type { Condition } from '#db/audience/audience-sql.ts';
import type { Tx } from '#db/database.ts';
import { type SenderQueue, senderQueues } from '#db/delivery/sender-queue.ts';
import { type CallGroup, forecast, type StepLoad } from '#domain/message/forecast.ts';
import { policyOf } from '#domain/message/policy.ts';
import { openWindow, type QuietHours, quietHoursOf } from '#domain/message/quiet-hours.ts';
import { CHANNELS, type Channel, type MessageClass } from '#schemas/delivery.ts';
import type { PlanStep } from '#schemas/message.ts';
import type { Forecast } from '#schemas/views.ts';
import { type ChosenSenders, chooseSenders } from '#services/organisations/senders-for.ts';
import type { TextPreview } from './preview-text.ts';

export interface ForecastInput {
  readonly class: MessageClass;
  readonly drill: boolean;
  readonly plan: readonly PlanStep[];
  /** The text per locale; missing while nothing is written yet. */
  readonly text: Readonly<Record<string, string>> | undefined;
  /** Over alias `r`. */
  readonly condition: Condition;
  readonly followsId?: string | null;
  /** The message itself, where it already waits at its senders. */
  readonly messageId?: string;
}

export interface Sender {
  readonly id: number;
  readonly unitsPerSecond: number | null;
  readonly stopped: boolean;
  /** Its provider fails: all but life messages wait. */
  readonly failing: boolean;
}

/** Everything that reaching these people depends on now. */
export interface ForecastFacts {
  readonly tenant: {
    readonly name: string;
    readonly default_locale: string;
    readonly time_zone: string | null;
    readonly policy: Record<string, unknown>;
  };
  /** The tenant's quiet hours; null where none apply to this class. */
  readonly quiet: QuietHours | null;
  /** How many messages one person may be sent within an hour; null where there is no limit. */
  readonly ceiling: number | null;
  readonly senders: Readonly<Partial<Record<Channel, Sender>>>;
  readonly queues: readonly SenderQueue[];
  readonly groups: readonly PreviewGroup[];
}

export async function forecastFacts(tx: Tx, tenantId: number, input: ForecastInput): Promise<ForecastFacts> {
  const tenant = await tx
    .selectFrom('tenants')
    .select(['name', 'default_locale', 'time_zone', 'policy'])
    .where('tenant_id', '=', tenantId)
    .executeTakeFirstOrThrow();
  const quiet = input.class === 'bulk' ? quietHoursOf(tenant.policy) : null;
  const { senders: chosen, optOutsOf } = await chooseSenders(tx, tenantId, input.class, input.drill);
  const texts = Object.values(input.text ?? {}).join('\n');
  return {
    tenant,
    quiet,
    ceiling: input.class === 'life' || input.followsId ? null : policyOf(tenant.policy).hourlyCeiling,
    senders: await ratesOf(tx, tenantId, chosen),
    queues: await senderQueues(tx, tenantId, Object.values(chosen), input.messageId ?? null),
    groups: await previewGroups(tx, {
      tenantId,
      condition: input.condition,
      class: input.class,
      plan: input.plan,
      senders: chosen,
      optOutsOf,
      usesName: /\{\{\s*name\s*\}\}/.test(texts),
      usesFirstName: /\{\{\s*first_name\s*\}\}/.test(texts),
      byLocale: input.text !== undefined,
      byZone: quiet !== null,
      followsId: input.followsId ?? null,
    }),
  };
}

async function ratesOf(tx: Tx, tenantId: number, chosen: ChosenSenders): Promise<Partial<Record<Channel, Sender>>> {
  const ids = Object.values(chosen);
  if (ids.length === 0) return {};
  const rows = await tx
    .selectFrom('senders')
    .select(['id', 'channel', 'units_per_second', 'throttle', 'stopped_at', 'breaker_opened_at'])
    .where('tenant_id', '=', tenantId)
    .where('id', 'in', ids)
    .execute();
  // A throttled sender is slower than its limit for now, and the forecast says so.
  return Object.fromEntries(
    rows.map((row) => [
      row.channel,
      {
        id: row.id,
        unitsPerSecond: row.units_per_second === null ? null : row.units_per_second * row.throttle,
        stopped: row.stopped_at !== null,
        failing: row.breaker_opened_at !== null,
      },
    ]),
  );
}

export const channelsOf = (plan: readonly PlanStep[]): Channel[] =>
  CHANNELS.filter((channel) => plan.some((step) => step.channels.includes(channel)));

const sumOf = <T>(items: readonly T[], of: (item: T) => number): number => items.reduce((sum, item) => sum + of(item), 0);

/** Works out the forecast from these facts. @param startsAt and endsAt in milliseconds */
export function forecastOf(
  facts: ForecastFacts,
  input: Pick<ForecastInput, 'class' | 'plan'>,
  text: TextPreview,
  startsAt: number,
  endsAt: number | null,
): Forecast {
  const loads = channelsOf(input.plan).map((channel) => {
    const sender = facts.senders[channel];
    const steps = input.plan.map((step, i) => ({ afterSeconds: step.afterSeconds, groups: callGroups(facts, channel, i) }));
    const queue = facts.queues.filter((one) => one.senderId === sender?.id);
    return {
      channel,
      people: sumOf(facts.groups, (group) => group[channel]),
      units: text.perChannel[channel]?.units ?? callsOf(steps),
      unitsPerCall: Math.max(1, text.perChannel[channel]?.unitsPerCall ?? 1),
      unitsPerSecond: sender?.unitsPerSecond ?? null,
      ahead: {
        same: sumOf(queue, (one) => (one.lane === input.class ? one.units : 0)),
        others: queue.filter((one) => one.lane !== input.class).map((one) => one.units),
      },
      steps,
    };
  });
  return forecast(startsAt, endsAt, loads);
}

const callsOf = (steps: readonly StepLoad[]): number => sumOf(steps, (step) => sumOf(step.groups, (group) => group.calls));

/** The calls of one wave over a channel, apart by zone where quiet hours matter. */
function callGroups(facts: ForecastFacts, channel: Channel, step: number): CallGroup[] {
  const { quiet, tenant } = facts;
  if (!quiet) return [{ calls: sumOf(facts.groups, (group) => group.calls[step]?.[channel] ?? 0) }];
  const calls = new Map<string, number>();
  for (const group of facts.groups) {
    const zone = group.zone ?? tenant.time_zone ?? 'UTC';
    calls.set(zone, (calls.get(zone) ?? 0) + (group.calls[step]?.[channel] ?? 0));
  }
  return [...calls].map(([zone, n]) => ({ calls: n, windowAt: (at) => openWindow(at, zone, quiet) }));
}
