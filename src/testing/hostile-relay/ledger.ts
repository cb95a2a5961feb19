/** One whole mail, final dot included, that the relay read. */
export interface Taken {
  readonly mail: string;
  readonly connection: number;
  /** Which of its connection's replies answers the final dot: the n-th reply is for the n-th command. */
  readonly position: number;
  /** What it meant to answer. */
  readonly code: number;
}

/** A connection as the relay saw it. */
export interface Heard {
  /** Codes of the replies that went out, in order; 0 is none by RFC 5321. */
  readonly codes: readonly number[];
  /** Nothing but layout, delays and refusals, from the greeting on. */
  fair: boolean;
  /** No reply too many or too few, or one in the place of another. */
  inPhase: boolean;
  /** It can be told which of its replies was heard for which command. */
  countable: boolean;
  /** Somebody waits for an answer that will not come. */
  stalled: boolean;
  readonly lines: string[];
}

/** What the relay really did, to be held against what the adapter says it did. */
export class Ledger {
  readonly taken: Taken[] = [];
  readonly connections: Heard[] = [];
  /** The first refusal of each mail's envelope: code and tag. */
  readonly refused = new Map<string, { readonly text: string; readonly connection: number }>();
  /** Rules that the client broke. */
  readonly broken: string[] = [];
}
