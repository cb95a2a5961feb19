import { monotonicMs } from '#platform/clock.ts';
import type { Database } from '#db/database.ts';
import { BoundedMap } from '#domain/bounded-map.ts';
import type { ChannelAdapter, PreparedSend, Target } from '#domain/delivery/channel.ts';
import { packRef } from '#domain/delivery/refs.ts';
import type { RenderInput } from '#render/render-input.ts';
import { chooseLocale, renderMessage } from '#render/render-message.ts';
import { slotValues } from '#render/slot-values.ts';
import type { ClaimedBatch } from '#db/delivery/claim-batch.ts';
import type { MarkedPerson } from '#db/delivery/mark-slice.ts';
import { addressFacts, type Channel, countsSegments, factsOf, renderingFacts } from '#schemas/channel-facts.ts';
import type { Deps } from '#services/context.ts';
import { ConnectionSlots } from './connection-slots.ts';
import { longestSms } from '#services/forecast/longest-sms.ts';
import { MarkedAhead } from './marked-ahead.ts';
import { type PlanFacts, planFacts } from './plan-facts.ts';
import { SenderPace } from './sender-pace.ts';

const KEEP_MS = 60_000;
const MAX_PLANS = 500;
/** How many renderings a plan keeps: the languages of a message times the zones of its readers. A mail takes some 10 kB. */
const MAX_VARIANTS = 100;
/**
 * How many people are marked at a time. Half of it costs PostgreSQL a seventh more for each person (statements, commits): 54 us a
 * message by 250 in batches of 500, 61 us by 125 in batches of 250 (2026-11-23, four alternating runs of 200,000).
 */
export const SLICE = 250;
/** One slice under way, one marked and one being marked keep a fast carrier busy. For a slower carrier fewer people are marked. */
const MARKED_AHEAD = 3 * SLICE;

/** What stays the same for all batches of a message on one channel and sender. */
export interface SendPlan {
  readonly class: 'life' | 'ops' | 'bulk';
  readonly unitsPerSecond: number | null;
  /**
   * What one call takes of the sender's budget: segments of the longest rendering, or 1 where the channel counts calls. It is a
   * little more where a second has no whole number of calls: at 100 a second and 3 each, 33 calls may start within a second, not
   * 33 and a third.
   */
  readonly unitsPerCall: number;
  /** How many calls the channel takes at once. */
  readonly concurrency: number;
  /** The bound that all messages of this lane, channel and account share in this process. */
  readonly ahead: MarkedAhead;
  /** Other senders of the class, whose opt-outs hold as well; null for life and where there are none. */
  readonly optOutsOf: readonly number[] | null;
  /** The pace of the sender, shared by all its messages. Null without a rate: then no budget is asked. */
  readonly pace: SenderPace | null;
  /** The connections for paced calls of this lane, channel and account. */
  readonly slots: ConnectionSlots;
  /** Seals the links of a whole slice; the function given back makes what person `i` is sent. */
  targetsOf(people: readonly MarkedPerson[], batch: ClaimedBatch): (i: number) => { prepared: PreparedSend; target: Target };
}

/** The tokens of a slice, by position. */
interface Seals {
  answer: string[];
  share: string[] | undefined;
  unsubscribe: string[] | undefined;
  ref: string[];
}

/**
 * Keeps the plans of launched messages, which never change. A plan is kept for a minute, since the time left until the expiry (push
 * TTL, SMS validity) is part of the rendering. A few hundred messages are live at once at most.
 */
export class SendPlans {
  readonly #plans = new Map<string, { plan: Promise<SendPlan>; madeAt: number }>();
  readonly #ahead = new Map<string, MarkedAhead>();
  readonly #slots = new Map<string, ConnectionSlots>();
  readonly #paces = new BoundedMap<string, SenderPace>(MAX_PLANS);
  readonly #deps: Pick<Deps, 'db' | 'config' | 'tokens'>;
  readonly #channels: Readonly<Partial<Record<Channel, ChannelAdapter>>>;

  constructor(deps: Pick<Deps, 'db' | 'config' | 'tokens'>, channels: Readonly<Partial<Record<Channel, ChannelAdapter>>>) {
    this.#deps = deps;
    this.#channels = channels;
  }

  of(db: Database, batch: ClaimedBatch): Promise<SendPlan> {
    const key = `${batch.messageId}.${batch.channel}.${batch.senderId}`;
    const now = monotonicMs();
    const kept = this.#plans.get(key);
    if (kept && now - kept.madeAt < KEEP_MS) return kept.plan;
    if (this.#plans.size >= MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value ?? '');
    const plan = this.#load(db, batch);
    plan.catch(() => this.#plans.delete(key));
    this.#plans.set(key, { plan, madeAt: now });
    return plan;
  }

  #aheadOf({ lane, channel }: ClaimedBatch, account: number): MarkedAhead {
    const key = `${lane}.${channel}.${account}`;
    const ahead = this.#ahead.get(key) ?? new MarkedAhead(this.#channels[channel]?.concurrency ?? 1, MARKED_AHEAD);
    this.#ahead.set(key, ahead);
    return ahead;
  }

  #slotsOf({ channel }: ClaimedBatch, account: number): ConnectionSlots {
    const key = `${channel}.${account}`;
    const slots = this.#slots.get(key) ?? new ConnectionSlots(this.#channels[channel]?.concurrency ?? 1);
    this.#slots.set(key, slots);
    return slots;
  }

  #paceOf({ tenantId, senderId }: ClaimedBatch): SenderPace {
    const key = `${tenantId}.${senderId}`;
    const pace = this.#paces.get(key) ?? new SenderPace();
    this.#paces.set(key, pace);
    return pace;
  }

  /** Does what a message's first call waits for (its plan, its texts, the links of these people), and calls nobody. */
  warmUp(facts: PlanFacts, batch: ClaimedBatch, people: readonly MarkedPerson[]): void {
    const targetOf = this.#planOf(facts, batch).targetsOf(people, batch);
    for (const i of people.keys()) targetOf(i);
  }

  async #load(db: Database, batch: ClaimedBatch): Promise<SendPlan> {
    return this.#planOf(await planFacts(db, batch), batch);
  }

  #planOf(facts: PlanFacts, batch: ClaimedBatch): SendPlan {
    const adapter = this.#channels[batch.channel];
    const input = renderInputOf(facts, this.#deps.config.publicUrl);
    const rate = facts.units_per_second;
    const segments = rate !== null && countsSegments(batch.channel) ? longestSms(input, batch.channel) : 1;
    return {
      class: facts.class,
      unitsPerSecond: rate,
      unitsPerCall: rate === null || rate < segments ? segments : rate / Math.floor(rate / segments),
      pace: rate === null ? null : this.#paceOf(batch),
      slots: this.#slotsOf(batch, facts.account),
      concurrency: adapter?.concurrency ?? 1,
      ahead: this.#aheadOf(batch, facts.account),
      optOutsOf: facts.class !== 'life' && facts.others.length > 0 ? facts.others : null,
      targetsOf: this.#targetsOf(facts, batch.channel, preparedFor(facts, input, { adapter, channel: batch.channel })),
    };
  }

  #targetsOf(facts: PlanFacts, channel: Channel, prepare: (person: MarkedPerson) => PreparedSend): SendPlan['targetsOf'] {
    const { tokens, config } = this.#deps;
    const share = facts.share || facts.kind === 'join';
    const bySubscription = addressFacts(channel).column === null;
    return (people, claimed) => {
      const seals = sealsOf(tokens, share, people, claimed);
      return (i) => {
        const person = people[i];
        if (!person) throw new RangeError(`nobody at ${i}`);
        const slots = slotValues({
          name: person.name,
          publicUrl: config.publicUrl,
          answerToken: seals.answer[i] ?? '',
          ...(seals.share ? { shareToken: seals.share[i] ?? '' } : {}),
          ...(seals.unsubscribe ? { unsubscribeToken: seals.unsubscribe[i] ?? '' } : {}),
        });
        const target = { address: person.address, ref: seals.ref[i] ?? '', slots };
        return { prepared: prepare(person), target: bySubscription ? { ...target, subscriptions: person.subscriptions } : target };
      };
    };
  }
}

const renderInputOf = (facts: PlanFacts, publicUrl: string): RenderInput => ({
  class: facts.class,
  drill: facts.drill,
  kind: facts.kind,
  repeatCode: facts.mark,
  title: facts.title,
  text: facts.text,
  said: facts.said,
  fallbackLocale: facts.fallback_locale,
  answers: facts.answers,
  share: facts.share,
  tenantName: facts.tenant_name,
  publicUrl,
  expiresAt: facts.expires_at,
  // The database tells what is left until the expiry, and not a worker whose clock may be an hour off.
  now: facts.now,
  topicKey: facts.root_id,
  timeZone: facts.tenant_zone ?? 'UTC',
});

interface Way {
  readonly adapter: ChannelAdapter | undefined;
  readonly channel: Channel;
}

/** Renders the text that a person reads, once for each locale and, where the channel tells times in the reader's zone, each zone. */
function preparedFor(facts: PlanFacts, input: RenderInput, { adapter, channel }: Way): (person: MarkedPerson) => PreparedSend {
  const { readersZone } = renderingFacts(channel);
  const sender = { id: facts.sender_id, address: facts.address, account: facts.account };
  const variants = new BoundedMap<string, PreparedSend>(MAX_VARIANTS);
  return (person) => {
    const locale = chooseLocale(facts.text, facts.fallback_locale, person.locale ?? facts.default_locale);
    const timeZone = (readersZone ? person.timeZone : null) ?? facts.tenant_zone ?? 'UTC';
    const key = `${locale} ${timeZone}`;
    let prepared = variants.get(key);
    if (!prepared) {
      prepared = adapter ? adapter.prepare(renderMessage({ ...input, timeZone }, locale, channel), sender) : NO_ADAPTER;
      variants.set(key, prepared);
    }
    return prepared;
  };
}

/** Seals the links and the references of a slice, each kind in one go. */
function sealsOf(tokens: Deps['tokens'], share: boolean, people: readonly MarkedPerson[], batch: ClaimedBatch): Seals {
  const { messageId, channel, wave } = batch;
  const evidence = factsOf(channel).evidence ?? 'receipt';
  const pairs = people.map(({ id }) => ({ a: Number(messageId), b: Number(id), extra: 0 }));
  const refs = people.map(({ id }) => packRef({ messageId, recipientId: id, channel, wave }));
  return {
    answer: tokens.sealMany('answer', pairs),
    share: share ? tokens.sealMany('share', pairs) : undefined,
    unsubscribe: renderingFacts(channel).unsubscribeLink ? tokens.sealMany('unsubscribe', refs) : undefined,
    ref: evidence === 'bounce' ? refs.map((ref) => tokens.sealLower(evidence, ref)) : tokens.sealMany(evidence, refs),
  };
}

const UNSET = { kind: 'misconfigured', code: 'no_credentials', detail: 'this process has no credentials for the channel' } as const;
const NO_ADAPTER: PreparedSend = { send: () => Promise.resolve({ outcome: UNSET }) };
