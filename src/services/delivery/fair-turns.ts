/** People of a newcomer who are let through before those of tenants that were served meanwhile. */
export const HEAD_START = 1_000;
/** Of tenants that are remembered; beyond it those are forgotten that are newcomers again. */
const KEEP = 1_000;

/**
 * Whose turn it is, by start-time fair queueing: each tenant's clock goes forward by the people let through for it, and
 * the one that is behind is served first. Who has sent nothing for a while is `HEAD_START` behind at most, so a small
 * message does not wait behind a huge one, and nobody saves up more than that.
 */
export class FairTurns {
  readonly #clocks = new Map<number, number>();
  /** Of whoever was served last. */
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
