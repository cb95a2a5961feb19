import { type Chance, pick } from './chance.ts';
import { type Account, type Behaviour, emailOf, type SimulatedChannel, smsOf } from './control.ts';
import type { Call } from './call-log.ts';

/** What becomes of one call. The person gets the message when it is `taken`. */
export interface Fate {
  readonly outcome: Call['outcome'];
  readonly taken: boolean;
  /** Code of a refusal, as in `refusedCodes`. */
  readonly code?: string | number;
  readonly latencyMs: number;
}

/** The fate of a call that was wrong by itself, so that no behaviour decides about it. */
export const refused = (code: string | number): Fate => ({ outcome: 'refused', taken: false, code, latencyMs: 0 });

/** A fate as the log has it. */
export const logged = ({ outcome, taken, code }: Fate): Pick<Call, 'outcome' | 'taken' | 'code'> => ({
  outcome,
  taken,
  ...(code === undefined ? {} : { code }),
});

interface Used {
  entries: { at: number; units: number }[];
  sum: number;
}

/** Units used in the last second, by sender. The window slides, so that no window of one second exceeds the rate. */
export class RateWindow {
  readonly #used = new Map<string, Used>();

  /** @returns whether the units still fit, and then counts them */
  take(key: string, units: number, perSecond: number, now: number): boolean {
    let used = this.#used.get(key);
    if (!used) {
      used = { entries: [], sum: 0 };
      this.#used.set(key, used);
    }
    let old = 0;
    for (const entry of used.entries) {
      if (entry.at > now - 1000) break;
      used.sum -= entry.units;
      old += 1;
    }
    if (old > 0) used.entries.splice(0, old);
    if (used.sum + units > perSecond) return false;
    used.sum += units;
    used.entries.push({ at: now, units });
    return true;
  }
}

/** Draws the fate of calls from the behaviour in force. */
export class Fates {
  readonly #rates = new RateWindow();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  draw(behaviour: Behaviour, chance: Chance, call: { channel: SimulatedChannel; to: string; from: string; units: number; account?: Account }): Fate {
    const account = call.account ?? 1;
    const rules = call.channel === 'push' ? behaviour.push : call.channel === 'sms' ? smsOf(behaviour, account) : emailOf(behaviour, account);
    const override = behaviour.addresses[call.to];
    const latencyMs = rules.latencyMs + (rules.latencyJitterMs === 0 ? 0 : Math.floor(chance.next() * rules.latencyJitterMs));
    const fate = (outcome: Fate['outcome'], taken: boolean, code?: string | number): Fate => ({
      outcome,
      taken,
      latencyMs,
      ...(code === undefined ? {} : { code }),
    });
    const perhapsTaken = (): boolean => chance.next() < rules.takenShare;

    switch (override?.fate) {
      case 'refused':
        return fate('refused', false, override.code ?? rules.refusedCodes[0]);
      case 'taken':
        return fate('accepted', true);
      case 'silent':
        return fate('silent', true);
      case 'throttled':
        return fate('throttled', false);
      case 'error':
      case 'cut':
        return fate(override.fate, perhapsTaken());
      case undefined:
    }
    if (
      rules.perSecond !== null &&
      !this.#rates.take(`${call.channel} ${account} ${rules.per === 'sender' ? call.from : ''}`, call.units, rules.perSecond, this.#now())
    )
      return fate('throttled', false);
    // Refusals go by address, not by call: an address that does not exist now will not exist at the next attempt either.
    if (rules.refusedShare > 0 && chance.of('refused', call.to) < rules.refusedShare)
      return fate('refused', false, pick<string | number>(rules.refusedCodes, chance.of('refusal', call.to)));
    const luck = chance.next();
    if (luck < rules.errorShare) return fate('error', perhapsTaken());
    if (luck < rules.errorShare + rules.cutShare) return fate('cut', perhapsTaken());
    if (luck < rules.errorShare + rules.cutShare + rules.silentShare) return fate('silent', true);
    return fate('accepted', true);
  }
}
