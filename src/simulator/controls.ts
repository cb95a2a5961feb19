import type { Call, CallFilter } from './call-log.ts';
import type { Behaviour, BehaviourChange } from './control.ts';
import type { SubscriptionJson } from './push/subscriptions.ts';
import type { Text } from './twilio/inbound.ts';

export interface SubscriptionRequest {
  readonly first?: number | undefined;
  readonly applicationServerKey?: string | undefined;
  readonly origin?: string;
}

/** What can be done to running carriers, over HTTP or in the same process. */
export interface Controls {
  behaviour(): Behaviour;
  /** @returns the behaviour that is in force from now on */
  control(change: BehaviourChange): Behaviour;
  /**
   * Goes back to the behaviour of the start, drops what waits, and forgets what people said and got. `calls` empties the log
   * too.
   */
  reset(options?: { calls?: boolean }): Promise<void>;
  calls(filter?: CallFilter, limit?: number): Promise<{ total: number; items: Call[] }>;
  /** New browsers' subscriptions, as `PushSubscription.toJSON()` gives them. */
  subscriptions(count: number, request?: SubscriptionRequest): Promise<SubscriptionJson[]>;
  /** A person writes a text message. @returns the status of Muster's answer, 0 for none */
  text(text: Text): Promise<number>;
  /** Resolves when no receipt, bounce, answer or visit is to come or under way. */
  idle(): Promise<void>;
  /**
   * `waiting` counts receipts, answers and other things to come or under way, `callbacks` the webhooks under way; `awake`
   * says whether anybody reacts.
   */
  state(): { calls: number; waiting: number; callbacks: number; awake: boolean };
}
