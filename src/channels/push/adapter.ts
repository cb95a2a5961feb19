import { failureOutcome, retryAfterMs } from '#channels/call.ts';
import { slotsAreClean } from '#channels/fill.ts';
import { InFlight } from '#channels/in-flight.ts';
import type { ChannelAdapter, NotificationContent, PushSubscriptionKeys, SendResult, Target } from '#domain/delivery/channel.ts';
import type { Outcome } from '#domain/delivery/outcome.ts';
import type { Recall } from '#domain/delivery/recall.ts';
import { type Clock, systemClock } from '#platform/clock.ts';
import { Problem } from '#platform/errors.ts';
import type { Log } from '#platform/log.ts';
import { bestOutcome, statusOutcome } from './codes.ts';
import { CONCURRENCY, DEADLINE_MS, RETRY_AFTER_MS } from './constants.ts';
import { Encryption } from './encryption.ts';
import { assertAllowedEndpoint, isPlainPath, isTestOrigin } from './endpoint.ts';
import { type PushFields, type PushOrigin, pushFields } from './origin.ts';
import { PushOrigins } from './origins.ts';
import { preparePayload } from './payload.ts';
import type { Resolve } from './public-lookup.ts';
import { Standing } from './standing.ts';
import { createVapid, type VapidKeys } from './vapid.ts';

export interface PushAdapterOptions {
  readonly vapid: VapidKeys;
  /** Besides the known services: `host`, `.suffix`, or `http://host:port` of a test service. */
  readonly allowedHosts: readonly string[];
  /** Beacons go to `${publicUrl}/r/beacon/${target.ref}`. */
  readonly publicUrl: string;
  readonly log: Log;
  readonly clock?: Clock;
  readonly deadlineMs?: number;
  /** How names become addresses; tests play a hostile DNS. */
  readonly resolve?: Resolve;
}

/** What all subscriptions of a person are sent. */
interface Push {
  readonly payload: Buffer;
  readonly fields: PushFields;
  readonly recall: Recall | undefined;
}

/** Sends one push after the other; what it keeps between them is connections, keys and who may be called. */
class PushSender {
  readonly #options: PushAdapterOptions;
  readonly #clock: Clock;
  readonly #origins: PushOrigins;
  readonly #authorization: (origin: string) => string;
  readonly #encryption = new Encryption();
  readonly #standings = { real: new Standing(), test: new Standing() };

  constructor(options: PushAdapterOptions, deadlineMs: number) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#origins = new PushOrigins({ deadlineMs, resolve: options.resolve });
    this.#authorization = createVapid(options.vapid, this.#clock);
  }

  async sendAll(subscriptions: readonly PushSubscriptionKeys[], push: Push): Promise<SendResult> {
    const outcomes = await Promise.all(subscriptions.map((one) => this.#sendOne(one, push)));
    const goneSubscriptions = subscriptions.filter((_, i) => outcomes[i]?.kind === 'gone').map((one) => one.id);
    const outcome = bestOutcome(outcomes) ?? { kind: 'gone', code: 'no_subscription', reason: 'subscription_gone' };
    return goneSubscriptions.length > 0 ? { outcome, goneSubscriptions } : { outcome };
  }

  /** As most people have one, it goes without the arrays: they were 1.6 of the 19 KB of garbage that a push is. */
  async sendOnly(one: PushSubscriptionKeys, push: Push): Promise<SendResult> {
    const outcome = await this.#sendOne(one, push);
    return outcome.kind === 'gone' ? { outcome, goneSubscriptions: [one.id] } : { outcome };
  }

  async close(): Promise<void> {
    await Promise.all([this.#origins.close(), this.#encryption.close()]);
  }

  #locate(endpoint: string): { origin: PushOrigin; path: string; name: string } | undefined {
    const at = endpoint.indexOf('/', 'https://'.length);
    const name = endpoint.slice(0, at);
    const known = at > 0 && isPlainPath(endpoint, at) ? this.#origins.known(name) : undefined;
    if (known) return { origin: known, path: endpoint.slice(at), name };
    try {
      const { allowedHosts } = this.#options;
      const url = assertAllowedEndpoint(endpoint, allowedHosts);
      return { origin: this.#origins.open(url.origin, isTestOrigin(url, allowedHosts)), path: url.pathname + url.search, name: url.origin };
    } catch (error) {
      if (error instanceof Problem) return undefined;
      throw error;
    }
  }

  async #sendOne(subscription: PushSubscriptionKeys, { payload, fields, recall }: Push): Promise<Outcome> {
    const body = await this.#encryption.encrypt(payload, subscription);
    if (!body) return { kind: 'rejected', code: 'bad_subscription_keys', addressInvalid: true };
    // Not before: meanwhile others might have taken its place.
    const place = this.#locate(subscription.endpoint);
    if (!place) return { kind: 'rejected', code: 'endpoint_refused', addressInvalid: true };
    const reply = await place.origin.post({ fields, path: place.path, authorization: this.#authorization(place.name), body, recall });
    if (reply.kind === 'reply') {
      const { location } = reply.headers;
      const outcome = statusOutcome(
        reply.status,
        retryAfterMs(reply.headers['retry-after'], this.#clock.now(), RETRY_AFTER_MS),
        typeof location === 'string' ? location.slice(0, 200) : null,
      );
      const standing = place.origin.trusted ? this.#standings.test : this.#standings.real;
      if (outcome.kind === 'accepted') standing.accepted();
      return outcome.kind === 'misconfigured' ? standing.judge(subscription.endpoint, outcome) : outcome;
    }
    if (reply.code === 'EPRIVATE') return { kind: 'rejected', code: 'endpoint_private' };
    return failureOutcome(reply);
  }
}

/** Web push (RFC 8030, 8291, 8292) to every subscription of a person; the best outcome counts. */
export function createPushAdapter(options: PushAdapterOptions): ChannelAdapter<NotificationContent> {
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  const inFlight = new InFlight();
  const sender = new PushSender(options, deadlineMs);
  return {
    channel: 'push',
    concurrency: CONCURRENCY,
    prepare(content: NotificationContent) {
      const payload = preparePayload(content, `${options.publicUrl}/r/beacon`);
      const fields = pushFields({
        'content-type': 'application/octet-stream',
        'content-encoding': 'aes128gcm',
        ttl: String(Math.max(0, Math.floor(content.ttlSeconds))),
        urgency: content.pushUrgency,
        topic: content.topic,
      });
      return {
        async send(target: Target, recall?: Recall) {
          if (inFlight.closing) return { outcome: { kind: 'retryable', code: 'closing' } };
          const bytes = slotsAreClean(target.slots) ? payload(target) : undefined;
          if (!bytes) return { outcome: { kind: 'rejected', code: slotsAreClean(target.slots) ? 'payload_too_large' : 'bad_slot_value' } };
          const { subscriptions = [] } = target;
          const push = { payload: bytes, fields, recall };
          const only = subscriptions.length === 1 ? subscriptions[0] : undefined;
          inFlight.begin();
          try {
            return await (only ? sender.sendOnly(only, push) : sender.sendAll(subscriptions, push));
          } finally {
            inFlight.end();
          }
        },
      };
    },
    async close() {
      await inFlight.drain(deadlineMs);
      await sender.close();
    },
  };
}
