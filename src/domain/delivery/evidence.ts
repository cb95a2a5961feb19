/** What a carrier says afterwards about one delivery, already verified. */
export interface Evidence {
  readonly state: 'accepted' | 'delivered' | 'failed';
  readonly providerId: string | null;
  /** The carrier's own code, raw. */
  readonly code: string | null;
  /** What the code says of the address itself. */
  readonly effect?: AddressEffect | undefined;
}

/**
 * What came back on the way that a channel has for that: evidence about the delivery, a complaint of the person who had it, or
 * something that nobody here can read.
 */
export type Returned = { readonly kind: 'evidence'; readonly evidence: Evidence } | { readonly kind: 'complaint' | 'unread' };

/**
 * `opted_out`: the person wants nothing more of this sender. `no_mailbox`: nobody is there, so that this sender is not to use it
 * again. `address_invalid`: no carrier of this kind can reach it.
 */
export type AddressEffect = 'opted_out' | 'no_mailbox' | 'address_invalid';
