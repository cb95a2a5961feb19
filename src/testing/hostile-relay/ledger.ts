/** One whole mail, final dot included, that the relay read. */
export interface Taken {
  readonly mail: string;
  readonly connection: number;
  /** Number of the reply on its connection that answers the final dot, since the n-th reply is for the n-th command. */
  readonly position: number;
  /** The reply that the relay meant to give. */
  readonly code: number;
}

/** One connection as the relay saw it. */
export interface Heard {
  /** Codes of the replies that went out, in order; 0 stands for what is no reply by RFC 5321. */
  readonly codes: readonly number[];
  /** True while the relay varied only layout, delays and refusals, from the greeting on. */
  fair: boolean;
  /** True while no reply was too many, too few or in the place of another. */
  inPhase: boolean;
  /** True when it is clear which reply was read for which command. */
  countable: boolean;
  /** True when the client waits for an answer that will not come. */
  stalled: boolean;
  readonly lines: string[];
}

/** What the relay really did, to be compared with what the adapter says it did. */
export class Ledger {
  readonly taken: Taken[] = [];
  readonly connections: Heard[] = [];
  /** The first refusal of each mail's envelope: code and tag. */
  readonly refused = new Map<string, { readonly text: string; readonly connection: number }>();
  /** Rules that the client broke. */
  readonly broken: string[] = [];
}
