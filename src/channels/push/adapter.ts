import { slotsAreClean } from '#channels/fill.ts';
import { InFlight } from '#channels/in-flight.ts';
import type { ChannelAdapter, NotificationContent, PushSubscriptionKeys, SendResult, Target } from '#domain/delivery/channel.ts';
import type { Recall } from '#domain/delivery/recall.ts';
import { type Clock, systemClock } from '#platform/clock.ts';
import type { Log } from '#platform/log.ts';
import { bestOutcome } from './codes.ts';
import { CONCURRENCY, DEADLINE_MS } from './constants.ts';
import { type PushFields, pushFields } from './origin.ts';
import { preparePayload } from './payload.ts';
import type { Resolve } from './public-lookup.ts';
import { type Push, PushSender } from './push-sender.ts';
import type { VapidKeys } from './vapid.ts';

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

/** Web push (RFC 8030, 8291, 8292) to every subscription of a person; the best outcome counts. */
export function createPushAdapter(options: PushAdapterOptions): ChannelAdapter<NotificationContent> {
  const { vapid, allowedHosts, publicUrl, resolve, clock = systemClock, deadlineMs = DEADLINE_MS } = options;
  const sender = new PushSender({ vapid, allowedHosts, clock, deadlineMs, resolve });
  const inFlight = new InFlight();

  return {
    channel: 'push',
    concurrency: CONCURRENCY,
    prepare(content: NotificationContent) {
      const payload = preparePayload(content, `${publicUrl}/r/beacon`);
      const fields = fieldsOf(content);
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
            return await (only ? sendOnly(sender, only, push) : sendAll(sender, subscriptions, push));
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

const fieldsOf = (content: NotificationContent): PushFields =>
  pushFields({
    'content-type': 'application/octet-stream',
    'content-encoding': 'aes128gcm',
    ttl: String(Math.max(0, Math.floor(content.ttlSeconds))),
    urgency: content.pushUrgency,
    topic: content.topic,
  });

async function sendAll(sender: PushSender, subscriptions: readonly PushSubscriptionKeys[], push: Push): Promise<SendResult> {
  const outcomes = await Promise.all(subscriptions.map((one) => sender.send(one, push)));
  const goneSubscriptions = subscriptions.filter((_, i) => outcomes[i]?.kind === 'gone').map((one) => one.id);
  const outcome = bestOutcome(outcomes) ?? { kind: 'gone', code: 'no_subscription', reason: 'subscription_gone' };
  return goneSubscriptions.length > 0 ? { outcome, goneSubscriptions } : { outcome };
}

/** Most people have one subscription. It goes without the arrays, which were 1.6 of the 19 KB of garbage that a push makes. */
async function sendOnly(sender: PushSender, one: PushSubscriptionKeys, push: Push): Promise<SendResult> {
  const outcome = await sender.send(one, push);
  return outcome.kind === 'gone' ? { outcome, goneSubscriptions: [one.id] } : { outcome };
}
