import { monotonicMs } from '#platform/clock.ts';
import type { Deps } from '#services/context.ts';
import type { Unforecast } from '#services/planning/plan-due.ts';
import { storeForecast } from '#services/forecast/store-forecast.ts';

/** Half of the time between two sweeps. */
const SPEND_MS = 500;

/** Forecasts that wait until nothing is due. Those of a process that ends are never made; their messages show none. */
export class LaterForecasts {
  readonly #deps: Deps;
  readonly #waiting: Unforecast[] = [];

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  add(messages: readonly Unforecast[]): void {
    this.#waiting.push(...messages);
  }

  async some(): Promise<void> {
    const until = monotonicMs() + SPEND_MS;
    for (let one = this.#waiting.shift(); one; one = this.#waiting.shift()) {
      const { tenantId, messageId } = one;
      await storeForecast(this.#deps, tenantId, messageId).catch((error: unknown) =>
        this.#deps.log.warn({ messageId, error: (error as Error).message }, 'forecast not kept'),
      );
      if (monotonicMs() > until) return;
    }
  }
}
