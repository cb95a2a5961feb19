import type { Outcome } from '#domain/delivery/outcome.ts';

/**
 * So many subscriptions in a row must refuse our signature before it is taken for wrong: while no push service has ever
 * accepted it in this process, and once one has.
 */
const WRONG_AFTER = { untried: 10, good: 1_000 } as const;
/** So many in a row are the subscriptions' own fault while it was good a moment ago; after that it is in doubt, and nobody fails for it. */
const THEIR_FAULT = 10;

/**
 * Whether a refused VAPID signature (401, 403) is our fault. A subscription that belongs to another key is refused in the
 * same words, and whoever opens a share page may hand us one: a single refusal must not stop the sender of everybody.
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
      // Not known whose fault it is: it is asked again, when others have been.
      return { kind: this.#good && inARow <= THEIR_FAULT ? 'rejected' : 'retryable', code: ours.code };
    this.#refusedBy.clear();
    return ours;
  }
}
