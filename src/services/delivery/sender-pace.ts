import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { type Reservation, TOLERANCE_MS } from '#db/delivery/pace.ts';
import type { Recall } from '#domain/delivery/recall.ts';
import { monotonicMs } from '#platform/clock.ts';
import { DatabaseClock } from './database-clock.ts';
import type { ConnectionSlots } from './connection-slots.ts';

/** The time from a turn's beginning to its first call, for the mark. It is the same for all turns, so none moves towards another. */
const MARK_MS = 100;
/** The room of a call's second turn. It is doubled with each further one, so that a process which is always late calls all the same. */
const ROOM_MS = 50;
const MOST_ROOM_MS = 400;

export interface Timers {
  now(): number;
  delay(ms: number): Promise<unknown>;
}

/** A part of the sender's budget that is this slice's alone. Times are monotonic. */
export interface Turn {
  /** The time of the first call. */
  readonly startAt: number;
  /** The time from one unit to the next. */
  readonly unitMs: number;
  /** Time kept free behind the last unit: all calls may be later by so much. */
  readonly roomMs: number;
}

/** Takes units from the sender's budget (`reservePace`); undefined when it has no rate any more. */
export type AskBudget = (units: number) => Promise<Reservation | undefined>;

/** The pace of one sender in this process and lane: its slices take their turns one behind the other. */
export class SenderPace {
  readonly timers: Timers;
  readonly #clock: DatabaseClock;
  #before: Promise<unknown> = Promise.resolve();

  constructor(clock = new DatabaseClock(), timers: Timers = { now: monotonicMs, delay }) {
    this.#clock = clock;
    this.timers = timers;
  }

  /**
   * Resolves when the turn has come and its mark may be written. The budget is asked when the turn before has come, and not by
   * all slices at once: with 16 claims in four processes the last slice had to wait four seconds, and so had every late call.
   */
  turn(ask: AskBudget, units: number): Promise<Turn | undefined> {
    const turn = this.#before.then(async () => {
      const taken = await this.take(ask, units, 0);
      const early = taken === undefined ? 0 : taken.startAt - MARK_MS - this.timers.now();
      if (early > 0) await this.timers.delay(early);
      return taken;
    });
    this.#before = turn.catch(() => undefined);
    return turn;
  }

  /** Takes a part of the budget. @param room units kept free behind the others */
  async take(ask: AskBudget, units: number, room: number): Promise<Turn | undefined> {
    const askedAt = this.timers.now();
    const taken = await ask(units + room);
    if (!taken) return undefined;
    this.#clock.hear(taken.now, askedAt, this.timers.now());
    return { startAt: this.#clock.at(taken.startAt) + MARK_MS, unitMs: taken.unitMs, roomMs: room * taken.unitMs };
  }
}

interface Place {
  /** The call may not leave before this time (monotonic). */
  readonly at: number;
  readonly roomMs: number;
}

interface Group {
  calls: number;
  roomMs: number;
  readonly turn: Promise<Turn | undefined>;
}

interface Budget {
  readonly ask: AskBudget;
  readonly unitsPerCall: number;
  readonly slots: ConnectionSlots;
}

/** The calls of one slice, each at its place in the turn. */
export class PacedCalls {
  readonly #pace: SenderPace;
  readonly #turn: Turn;
  readonly #ask: AskBudget;
  readonly #unitsPerCall: number;
  readonly #slots: ConnectionSlots;
  #late: Group | undefined;

  constructor(pace: SenderPace, turn: Turn, { ask, unitsPerCall, slots }: Budget) {
    this.#pace = pace;
    this.#turn = turn;
    this.#ask = ask;
    this.#unitsPerCall = unitsPerCall;
    this.#slots = slots;
  }

  /**
   * Resolves when call `i` may begin; it then begins at once, or never if it was recalled. A call that cannot keep its place (the
   * mark took long, the timer came late, no connection was free) gives it up and takes another place behind all that are given.
   *
   * @returns a function to be called when the call has ended
   */
  async enter(i: number, recall: Recall): Promise<() => void> {
    const { timers } = this.#pace;
    let place = this.#placeOf(this.#turn, i);
    for (;;) {
      // A timer is exact to a millisecond; late is allowed, early is not.
      for (let early = place.at - timers.now(); early > 0 && !recall.recalled; early = place.at - timers.now())
        await Promise.race([timers.delay(Math.ceil(early)), recall.told]);
      const slot = this.#slots.acquire();
      await Promise.race([slot, recall.told]);
      if (recall.recalled) {
        void slot.then(() => this.#slots.release());
        return () => undefined;
      }
      if (timers.now() - place.at <= TOLERANCE_MS + place.roomMs) return () => this.#slots.release();
      this.#slots.release();
      place = await this.#another(place);
    }
  }

  #placeOf({ startAt, unitMs, roomMs }: Turn, i: number): Place {
    return { at: startAt + i * this.#unitsPerCall * unitMs, roomMs };
  }

  /** Calls that are late at the same time take one turn together. */
  async #another({ roomMs }: Place): Promise<Place> {
    const group = (this.#late ??= { calls: 0, roomMs: 0, turn: nextTurn().then(() => this.#takeLate()) });
    const i = group.calls++;
    group.roomMs = Math.max(group.roomMs, roomMs === 0 ? ROOM_MS : Math.min(2 * roomMs, MOST_ROOM_MS));
    const turn = await group.turn;
    return turn ? this.#placeOf(turn, i) : { at: this.#pace.timers.now(), roomMs: MOST_ROOM_MS };
  }

  #takeLate(): Promise<Turn | undefined> {
    const { calls, roomMs } = this.#late ?? { calls: 0, roomMs: 0 };
    this.#late = undefined;
    const room = roomMs / this.#turn.unitMs;
    return this.#pace.take(this.#ask, calls * this.#unitsPerCall, room);
  }
}
