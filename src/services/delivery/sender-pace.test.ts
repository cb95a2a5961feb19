import { setImmediate as otherTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Reservation } from '#db/delivery/pace.ts';
import { Recall } from '#domain/delivery/recall.ts';
import { ConnectionSlots } from './connection-slots.ts';
import { PacedCalls, SenderPace, type Timers } from './sender-pace.ts';

interface Due {
  readonly at: number;
  readonly go: () => void;
}

/** Time that passes only when everybody waits, with timers as late as a test wants. */
class SlowTime {
  now = 0;
  readonly #due: Due[] = [];

  /** A process's timers. @param late by how many ms a timer comes that was due then */
  timers(late: (at: number) => number): Timers {
    return {
      now: () => this.now,
      delay: (ms) => new Promise<void>((go) => this.#due.push({ at: this.now + ms + late(this.now + ms), go })),
    };
  }

  async runUntil(end: number): Promise<void> {
    for (;;) {
      for (let i = 0; i < 3; i++) await otherTurn();
      const next = this.#due.reduce<Due | undefined>((first, due) => (first && first.at <= due.at ? first : due), undefined);
      if (!next || next.at > end) return;
      this.now = Math.max(this.now, next.at);
      this.#due.splice(this.#due.indexOf(next), 1);
      next.go();
    }
  }
}

/** The row of the sender, as `reservePace` moves it. */
class Row {
  readonly unitMs: number;
  readonly #time: SlowTime;
  #nextFree = 0;

  constructor(time: SlowTime, rate: number) {
    this.#time = time;
    this.unitMs = 1_000 / (0.984 * rate);
  }

  readonly ask = (units: number): Promise<Reservation> => {
    const startAt = Math.max(this.#nextFree, this.#time.now);
    this.#nextFree = startAt + units * this.unitMs;
    return Promise.resolve({ startAt, now: this.#time.now, unitMs: this.unitMs });
  };
}

interface Worker {
  readonly timers: Timers;
  /** How long the mark takes that is written then. */
  readonly markMs: (at: number) => number;
}

/** Slices of a quarter second, one after the other, as a worker delivers them. */
async function work(
  { timers, markMs }: Worker,
  row: Row,
  { size, slots, end }: { size: number; slots: ConnectionSlots; end: number },
  called: number[],
): Promise<void> {
  const pace = new SenderPace(undefined, timers);
  const slices: Promise<unknown>[] = [];
  while (timers.now() < end) {
    const turn = await pace.turn(row.ask, size);
    if (!turn) throw new Error('the row has a rate');
    await timers.delay(markMs(timers.now()));
    const calls = new PacedCalls(pace, turn, { ask: row.ask, unitsPerCall: 1, slots });
    const recall = new Recall();
    const one = async (i: number): Promise<void> => {
      const ended = await calls.enter(i, recall);
      called.push(timers.now());
      await timers.delay(1);
      ended();
    };
    slices.push(Promise.all(Array.from({ length: size }, (_, i) => one(i))));
  }
  await Promise.all(slices);
}

function busiest(times: readonly number[]): number {
  const all = times.toSorted((a, b) => a - b);
  let most = 0;
  for (let i = 0, first = 0; i < all.length; i++) {
    while ((all[first] ?? 0) <= (all[i] ?? 0) - 1_000) first += 1;
    most = Math.max(most, i - first + 1);
  }
  return most;
}

async function calls(
  rate: number,
  make: (time: SlowTime) => Worker[],
  seconds: number,
  slots = new ConnectionSlots(1_000),
): Promise<number[]> {
  const time = new SlowTime();
  const row = new Row(time, rate);
  const called: number[] = [];
  const size = Math.max(1, Math.floor(rate / 4));
  for (const worker of make(time)) void work(worker, row, { size, slots, end: seconds * 1_000 }, called);
  await time.runUntil(seconds * 1_000);
  return called;
}

/** The same each time. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

const share = (called: readonly number[], rate: number, seconds: number): number =>
  called.filter((at) => at >= 2_000).length / (rate * (seconds - 2));

describe('several workers of one sender', () => {
  test('timers of a few milliseconds cost nothing', async () => {
    const random = chance(1);
    const called = await calls(
      100,
      (time) => Array.from({ length: 4 }, () => ({ timers: time.timers(() => random() * 5), markMs: () => 5 + random() * 60 })),
      12,
    );
    expect(busiest(called)).toBeLessThanOrEqual(100);
    expect(share(called, 100, 12)).toBeGreaterThan(0.98);
  });

  test('held up again and again for longer than the margin, they never call more often than the rate', async () => {
    const random = chance(7);
    const worker = (time: SlowTime): Worker => ({
      // Everything that was due in these 80 ms of each second comes after them, together.
      timers: time.timers((at) => (at % 900 < 80 ? 80 - (at % 900) : random() * 4)),
      markMs: () => (random() < 0.2 ? 180 : 10),
    });
    const called = await calls(100, (time) => Array.from({ length: 4 }, () => worker(time)), 12);
    expect(busiest(called)).toBeLessThanOrEqual(100);
    expect(share(called, 100, 12)).toBeGreaterThan(0.6);
  });

  test('one whose timers are always late calls nevertheless, beside one whose are not', async () => {
    const called = await calls(
      40,
      (time) => [
        { timers: time.timers(() => 60), markMs: () => 10 },
        { timers: time.timers(() => 0), markMs: () => 10 },
      ],
      12,
    );
    expect(busiest(called)).toBeLessThanOrEqual(40);
    expect(share(called, 40, 12)).toBeGreaterThan(0.3);
  });
});

test('what waited for a connection, because the carrier stood still, does not leave at once when it goes on', async () => {
  const time = new SlowTime();
  const row = new Row(time, 40);
  const slots = new ConnectionSlots(4);
  const pace = new SenderPace(
    undefined,
    time.timers(() => 0),
  );
  const called: number[] = [];
  const standsUntil = 2_000;
  const recall = new Recall();
  const timers = pace.timers;
  for (let slice = 0; slice < 8; slice++)
    void pace
      .turn(row.ask, 10)
      .then((turn) => turn && new PacedCalls(pace, turn, { ask: row.ask, unitsPerCall: 1, slots }))
      .then((paced) =>
        Array.from({ length: 10 }, async (_, i) => {
          const ended = await paced?.enter(i, recall);
          called.push(time.now);
          await timers.delay(Math.max(1, standsUntil - time.now));
          ended?.();
        }),
      );
  await time.runUntil(10_000);
  expect(called).toHaveLength(80);
  expect(busiest(called)).toBeLessThanOrEqual(40);
});

test('a recall lets go who waits for a place or for a connection', async () => {
  const time = new SlowTime();
  const row = new Row(time, 10);
  const slots = new ConnectionSlots(1);
  const pace = new SenderPace(
    undefined,
    time.timers(() => 0),
  );
  const recall = new Recall();
  const turn = await row.ask(5);
  const paced = new PacedCalls(pace, { startAt: turn.startAt, unitMs: turn.unitMs, roomMs: 0 }, { ask: row.ask, unitsPerCall: 1, slots });
  const first = await paced.enter(0, recall);
  const others = [1, 2, 3].map((i) => paced.enter(i, recall));
  await time.runUntil(150);
  const waiting = Symbol('waiting');
  expect(await Promise.race([...others, otherTurn(waiting)])).toBe(waiting);
  recall.recall();
  await Promise.all(others);
  first();
  // Whoever had asked for the connection gave it back.
  expect(await Promise.race([slots.acquire(), otherTurn(waiting)])).not.toBe(waiting);
});
