/** As much of a sender as a choice between several needs. */
export interface Candidate {
  readonly id: number;
  /** The provider account behind it. */
  readonly account: number;
  /** Neither stopped nor with an open breaker. */
  readonly well: boolean;
}

/** The sender of a new message: the first that is well, or the first of all when none is, where the message waits. */
export function firstWell<S extends Pick<Candidate, 'well'>>(senders: readonly S[]): S | undefined {
  return senders.find((sender) => sender.well) ?? senders[0];
}

/**
 * The sender that takes over from `tried` is well, and of another account before another number of the same one, since what
 * ails a provider ails all its numbers. Undefined where there is no other.
 */
export function insteadOf<S extends Candidate>(senders: readonly S[], tried: number): S | undefined {
  const account = senders.find((sender) => sender.id === tried)?.account;
  const others = senders.filter((sender) => sender.id !== tried && sender.well);
  return others.find((sender) => sender.account !== account) ?? others[0];
}
