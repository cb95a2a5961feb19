import { failureOutcome, type HttpFailure, type HttpReply, retryAfterMs } from '#channels/call.ts';
import type { PushSubscriptionKeys } from '#domain/delivery/channel.ts';
import type { Outcome } from '#domain/delivery/outcome.ts';
import type { Recall } from '#domain/delivery/recall.ts';
import type { Clock } from '#platform/clock.ts';
import { Problem } from '#platform/errors.ts';
import { statusOutcome } from './codes.ts';
import { RETRY_AFTER_MS } from './constants.ts';
import { Encryption } from './encryption.ts';
import { assertAllowedEndpoint, isPlainPath, isTestOrigin } from './endpoint.ts';
import type { PushFields, PushOrigin } from './origin.ts';
import { PushOrigins } from './origins.ts';
import type { Resolve } from './public-lookup.ts';
import { Standing } from './standing.ts';
import { createVapid, type VapidKeys } from './vapid.ts';

export interface PushSenderOptions {
  readonly vapid: VapidKeys;
  /** Besides the known services: `host`, `.suffix`, or `http://host:port` of a test service. */
  readonly allowedHosts: readonly string[];
  readonly clock: Clock;
  readonly deadlineMs: number;
  readonly resolve: Resolve | undefined;
}

/** What all subscriptions of a person are sent. */
export interface Push {
  readonly payload: Buffer;
  readonly fields: PushFields;
  readonly recall: Recall | undefined;
}

/** Where one subscription is reached. */
interface Place {
  readonly origin: PushOrigin;
  readonly path: string;
  /** The origin as text, which the signature names. */
  readonly name: string;
}

/** Encrypts and signs a push for one subscription, sends it to the service that the subscription names, and judges the answer. */
export class PushSender {
  readonly #allowedHosts: readonly string[];
  readonly #clock: Clock;
  readonly #origins: PushOrigins;
  readonly #authorization: (origin: string) => string;
  readonly #encryption = new Encryption();
  readonly #standings = { real: new Standing(), test: new Standing() };

  constructor({ vapid, allowedHosts, clock, deadlineMs, resolve }: PushSenderOptions) {
    this.#allowedHosts = allowedHosts;
    this.#clock = clock;
    this.#origins = new PushOrigins({ deadlineMs, resolve });
    this.#authorization = createVapid(vapid, clock);
  }

  async send(subscription: PushSubscriptionKeys, { payload, fields, recall }: Push): Promise<Outcome> {
    const body = await this.#encryption.encrypt(payload, subscription);
    if (!body) return { kind: 'rejected', code: 'bad_subscription_keys', addressInvalid: true };
    // The place is not looked up earlier: while the encryption was awaited, others might have closed the origin to make room.
    const place = this.#locate(subscription.endpoint);
    if (!place) return { kind: 'rejected', code: 'endpoint_refused', addressInvalid: true };
    const { origin, path, name } = place;
    const reply = await origin.post({ fields, path, authorization: this.#authorization(name), body, recall });
    return this.#outcomeOf(reply, subscription.endpoint, origin.trusted);
  }

  async close(): Promise<void> {
    await Promise.all([this.#origins.close(), this.#encryption.close()]);
  }

  #locate(endpoint: string): Place | undefined {
    const at = endpoint.indexOf('/', 'https://'.length);
    const name = endpoint.slice(0, at);
    const known = at > 0 && isPlainPath(endpoint, at) ? this.#origins.known(name) : undefined;
    if (known) return { origin: known, path: endpoint.slice(at), name };
    try {
      const url = assertAllowedEndpoint(endpoint, this.#allowedHosts);
      const origin = this.#origins.open(url.origin, isTestOrigin(url, this.#allowedHosts));
      return { origin, path: url.pathname + url.search, name: url.origin };
    } catch (error) {
      if (error instanceof Problem) return undefined;
      throw error;
    }
  }

  #outcomeOf(reply: HttpReply | HttpFailure, endpoint: string, test: boolean): Outcome {
    if (reply.kind === 'failure') return reply.code === 'EPRIVATE' ? { kind: 'rejected', code: 'endpoint_private' } : failureOutcome(reply);
    const { location, 'retry-after': after } = reply.headers;
    const providerId = typeof location === 'string' ? location.slice(0, 200) : null;
    const outcome = statusOutcome(reply.status, retryAfterMs(after, this.#clock.now(), RETRY_AFTER_MS), providerId);
    const standing = test ? this.#standings.test : this.#standings.real;
    if (outcome.kind === 'accepted') standing.accepted();
    return outcome.kind === 'misconfigured' ? standing.judge(endpoint, outcome) : outcome;
  }
}
