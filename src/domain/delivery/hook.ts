import type { Channel } from '#schemas/channel-facts.ts';
import type { Evidence } from './evidence.ts';

/**
 * A URL that a carrier calls, as its adapter describes it. The routes are made from these, so that no route and no service
 * knows a carrier.
 */
export type Hook = ReceiptHook | InboundHook;

interface HookBase {
  readonly channel: Channel;
  /** Who calls, for refusals. */
  readonly caller: string;
  readonly method: 'post';
  /** What the description of the API says of it. */
  readonly summary: string;
  readonly description: string;
  /** Media type of the body; any other is answered 415. */
  readonly contentType: string;
  /**
   * Believes a call, or does not.
   * @returns its fields
   * @throws Problem 403 for one that is forged or of somebody else
   */
  verify(call: HookCall): HookFields;
}

/** A call as it came in. */
export interface HookCall {
  /** The public URL that was called, with its query: from configuration and never from the Host header. */
  readonly url: string;
  header(name: string): string | undefined;
  readonly body: string;
}

export type HookFields = Readonly<Record<string, string>>;

/** News of a delivery; answered 204 once it is committed. */
export interface ReceiptHook extends HookBase {
  readonly kind: 'receipt';
  /** `{ref}` stands for the reference that the adapter was given with the call. */
  readonly path: `${string}{ref}${string}`;
  /**
   * @returns null where the fields say nothing of the delivery's fate
   * @throws Problem 422 where they are no news of a delivery at all
   */
  toReceipt(fields: HookFields): Evidence | null;
}

/** Somebody wrote to one of our senders. */
export interface InboundHook extends HookBase {
  readonly kind: 'inbound';
  readonly path: string;
  /** @throws Problem 422 where they are no text at all */
  toInbound(fields: HookFields): InboundText;
  /** How a carrier is told what to write back; '' for nothing. */
  readonly answer: {
    readonly contentType: string;
    /** Its name, for the description of the API. */
    readonly description: string;
    of(reply: string): string;
  };
}

export interface InboundText {
  /**
   * Its id: a repeated call is answered as the first time and changes nothing. No other text of any carrier may have the same, so
   * an adapter whose carrier merely counts puts a name before the number.
   */
  readonly id: string;
  /** The person's address, of the kind that the channel uses. */
  readonly from: string;
  /** Addresses of ours that it may have come to: the number itself, then a pool that it belongs to. */
  readonly to: readonly string[];
  readonly body: string;
  /** Set where the carrier has understood a reserved word and answered it itself. */
  readonly byCarrier: 'stop' | 'start' | 'help' | undefined;
}
