/** As much of a sender as a choice between several needs. */
export interface Candidate {
  readonly id: number;
  /** The provider account behind it. */
  readonly account: number;
  /** Neither stopped nor with an open breaker. */
  readonly well: boolean;
}

/** For a new message: the first that is well; the first of all when none is, and it waits there. */
export const firstWell = <S extends Pick<Candidate, 'well'>>(senders: readonly S[]): S | undefined => senders.find((sender) => sender.well) ?? senders[0];

/**
 * Who sends instead of `tried`: one that is well, of another account before another number of the same one, since what
 * ails a provider ails all its numbers. Undefined where nobody else can.
 */
export function insteadOf<S extends Candidate>(senders: readonly S[], tried: number): S | undefined {
  const account = senders.find((sender) => sender.id === tried)?.account;
  const others = senders.filter((sender) => sender.id !== tried && sender.well);
  return others.find((sender) => sender.account !== account) ?? others[0];
}
