import type { Outcome } from '#domain/delivery/outcome.ts';

/**
 * So many subscriptions in a row must refuse our signature before it is taken for wrong. `untried` counts while no push service
 * has accepted it in this process, `good` once one has.
 */
const WRONG_AFTER = { untried: 10, good: 1_000 } as const;
/**
 * While the signature was good a moment ago, so many refusals in a row are taken for the subscriptions' own fault. After that it is
 * in doubt, and nobody fails for it.
 */
const THEIR_FAULT = 10;

/**
 * Judges whether a refused VAPID signature (401, 403) is our fault. A subscription that belongs to another key is refused in the
 * same words, and whoever opens a share page may hand us one, so a single refusal must not stop the sender of everybody.
 */
export class Standing {
  #good = false;
  readonly #refusedBy = new Set<string>();

  accepted(): void {
    this.#good = true;
    this.#refusedBy.clear();
  }

  /** @param ours what the refusal means if it is about us */
  judge(endpoint: string, ours: Outcome & { kind: 'misconfigured' }): Outcome {
    this.#refusedBy.add(endpoint);
    const inARow = this.#refusedBy.size;
    if (inARow < (this.#good ? WRONG_AFTER.good : WRONG_AFTER.untried))
      // Nobody knows whose fault it is, so this one is asked again after others have been.
      return { kind: this.#good && inARow <= THEIR_FAULT ? 'rejected' : 'retryable', code: ours.code };
    this.#refusedBy.clear();
    return ours;
  }
}
