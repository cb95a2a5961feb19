/** How many people of a newcomer are let through before those of tenants that were served meanwhile. */
export const HEAD_START = 1_000;
/** How many tenants are remembered; beyond that, those are forgotten that have become newcomers again. */
const KEEP = 1_000;

/**
 * Decides whose turn it is by start-time fair queueing: each tenant's clock goes forward by the people let through for it, and
 * the tenant that is behind is served first. A tenant that has sent nothing for a while is `HEAD_START` behind at most, so a small
 * message does not wait behind a huge one, and no tenant saves up more than that.
 */
export class FairTurns {
  readonly #clocks = new Map<number, number>();
  /** The clock of the tenant that was served last. */
  #now = 0;

  clockOf(tenantId: number): number {
    return Math.max(this.#clocks.get(tenantId) ?? 0, this.#now - HEAD_START);
  }

  served(tenantId: number, people: number): void {
    const from = this.clockOf(tenantId);
    this.#now = Math.max(this.#now, from);
    this.#clocks.set(tenantId, from + people);
    if (this.#clocks.size > KEEP) for (const [id, clock] of this.#clocks) if (clock <= this.#now - HEAD_START) this.#clocks.delete(id);
  }
}
