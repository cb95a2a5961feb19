import type { Tx } from '#db/database.ts';
import type { AnswerWay } from '#schemas/delivery.ts';
import { type AnswerRow, type Judged, moveTallies, type Standing, type Verdict, writeAgain, writeFirst } from './answer-sql.ts';
import { type Deps, notifyProgress } from '#services/context.ts';
import { conflict, notFound, Problem } from '#platform/errors.ts';

export interface AnswerInput {
  readonly tenantId: number;
  readonly messageId: string;
  readonly recipientId: string;
  /** One of the message's answer keys; `seen` where it offers none. */
  readonly key: string;
  readonly way: AnswerWay;
  readonly etaAt?: Date | undefined;
  /** Kept as written, at most 500 characters. */
  readonly note?: string | undefined;
  /** MessageSid of an inbound text: the same one counts once. */
  readonly dedupKey?: string | undefined;
}

export interface AnswerResult {
  /** True for the one answer that set the first time. */
  readonly first: boolean;
  readonly key: string;
  readonly previousKey: string | null;
  /** The answer in force after this one, for the reply. */
  readonly standing: Standing;
  /** Of the person, as they are stored. */
  readonly person: { readonly locale: string | null; readonly timeZone: string | null };
}

export interface AnswerWriter {
  /** Resolves after its commit. Refuses with `not_found`, `gone`, `closed` or `unknown_answer`. */
  answer(input: AnswerInput): Promise<AnswerResult>;
}

const GROUP_MAX = 500;
/** A group that takes longer is waited for by its own people only; 99 of 100 take less than 15. */
const SLOW_MS = 50;
/** A slow group and the one beside it; more would only queue on the same rows. */
const IN_FLIGHT = 2;
const RETRIES = 3;
/** deadlock_detected, serialization_failure, unique_violation (a text that another process is just recording). */
const RETRYABLE = new Set(['40P01', '40001', '23505']);

interface Waiting {
  readonly row: AnswerRow;
  readonly done: (result: AnswerResult) => void;
  readonly fail: (error: Error) => void;
}

interface Group {
  readonly members: readonly Waiting[];
  slow: boolean;
}

interface Queue {
  waiting: Waiting[];
  soon: NodeJS.Immediate | undefined;
  readonly underWay: Set<Group>;
}

const REFUSALS: Record<Exclude<Verdict, 'first' | 'again'>, () => Problem> = {
  not_found: () => notFound('message'),
  closed: () => new Problem(410, 'closed', 'This message is over; answers are no longer taken.'),
  erased: () => new Problem(410, 'gone', 'This person is no longer known here.'),
  unknown_answer: () =>
    new Problem(422, 'unknown_answer', 'That is not one of the answers of this message.', {
      errors: [{ field: 'answer', code: 'unknown_answer', detail: 'not one of the answers of this message' }],
    }),
};

/** Control characters but line feed and tab say nothing, and Postgres takes no NUL. */
const clean = (note: string | undefined): string | null =>
  note
    ?.replace(/(?![\n\t])\p{Cc}/gu, ' ')
    .trim()
    .slice(0, 500) || null;

/**
 * Gathers concurrent answers of a tenant into one transaction with set-based SQL. One per process.
 *
 * A lone answer is written at once; whoever comes while a group is under way goes with the next one, so that groups are as
 * large as there is need. Before, two groups at a time were gathered for 2 ms each, which a lone person waited for; from 64
 * people at a time the two ways cannot be told apart with certainty (docs/decisions/2026-11-23-answers-in-groups.md).
 */
export function createAnswerWriter(deps: Pick<Deps, 'db'>): AnswerWriter {
  const queues = new Map<number, Queue>();

  const flush = (tenantId: number, queue: Queue): void => {
    queue.soon = undefined;
    const before = [...queue.underWay];
    if (before.length >= IN_FLIGHT || before.some((group) => !group.slow)) return;
    const members = take(queue, before);
    if (members.length === 0) return;
    const group: Group = { members, slow: false };
    queue.underWay.add(group);
    const timer = setTimeout(() => {
      group.slow = true;
      flush(tenantId, queue);
    }, SLOW_MS);
    void settle(deps, tenantId, members).then((tell) => {
      clearTimeout(timer);
      queue.underWay.delete(group);
      flush(tenantId, queue);
      if (queue.underWay.size === 0) queues.delete(tenantId);
      // The database has the next group before the replies to this one are made.
      setImmediate(tell);
    });
  };

  return {
    answer: (input) =>
      new Promise((done, fail) => {
        const queue: Queue = queues.get(input.tenantId) ?? { waiting: [], soon: undefined, underWay: new Set() };
        queues.set(input.tenantId, queue);
        const row: AnswerRow = {
          messageId: input.messageId,
          recipientId: input.recipientId,
          key: input.key,
          way: input.way,
          etaAt: input.etaAt ?? null,
          note: clean(input.note),
          dedupKey: input.dedupKey ?? null,
        };
        queue.waiting.push({ row, done, fail });
        // When everything has been read that has arrived by now.
        if (queue.underWay.size < IN_FLIGHT) queue.soon ??= setImmediate(() => flush(input.tenantId, queue));
      }),
  };
}

/** Takes the next group out of those who wait. Whoever is in a slow one waits for its end: the later answer must be written later. */
function take(queue: Queue, slow: readonly Group[]): Waiting[] {
  if (slow.length === 0) return queue.waiting.splice(0, GROUP_MAX);
  const held = new Set(slow.flatMap(({ members }) => members.map(({ row }) => personOf(row))));
  const members = queue.waiting.filter(({ row }) => !held.has(personOf(row))).slice(0, GROUP_MAX);
  const taken = new Set(members);
  queue.waiting = queue.waiting.filter((one) => !taken.has(one));
  return members;
}

/** Never throws: gives what tells each caller its own result or error. */
async function settle(deps: Pick<Deps, 'db'>, tenantId: number, group: readonly Waiting[]): Promise<() => void> {
  try {
    const results = await write(
      deps,
      tenantId,
      group.map((w) => w.row),
    );
    return () => {
      for (const [i, waiting] of group.entries()) {
        const result = results[i];
        if (result === undefined) waiting.fail(conflict('lost', 'The answer was not written.'));
        else if (result instanceof Problem) waiting.fail(result);
        else waiting.done(result);
      }
    };
  } catch (error) {
    // One row that the database refuses must not take the others of its group with it.
    if (group.length > 1 && /^2[23]/.test((error as { code?: string }).code ?? '')) {
      const tellings: (() => void)[] = [];
      for (const one of group) tellings.push(await settle(deps, tenantId, [one]));
      return () => tellings.forEach((tell) => tell());
    }
    const reason = error instanceof Error ? error : new Error('the answer was not written', { cause: error });
    return () => group.forEach((one) => one.fail(reason));
  }
}

async function write(deps: Pick<Deps, 'db'>, tenantId: number, rows: readonly AnswerRow[]): Promise<(AnswerResult | Problem)[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await writeOnce(deps, tenantId, rows);
    } catch (error) {
      if (tries >= RETRIES || !RETRYABLE.has((error as { code?: string }).code ?? '')) throw error;
    }
  }
}

const personOf = (row: AnswerRow): string => `${row.messageId}:${row.recipientId}`;

/** Statements take one row a person, so several answers of one person go in rounds, in the order they came. */
function rounds(rows: readonly AnswerRow[]): number[][] {
  const made: number[][] = [];
  const seen = new Map<string, number>();
  for (const [i, row] of rows.entries()) {
    const round = seen.get(personOf(row)) ?? 0;
    seen.set(personOf(row), round + 1);
    (made[round] ??= []).push(i);
  }
  return made;
}

const personIn = ({ locale, timeZone }: Judged): AnswerResult['person'] => ({ locale, timeZone });

/** This answer is in force now. */
const taken = (row: AnswerRow, judged: Judged, previous: Standing | undefined): AnswerResult => ({
  first: judged.verdict === 'first',
  key: row.key,
  previousKey: previous?.key ?? null,
  standing: { key: row.key, at: judged.at, firstAt: previous?.firstAt ?? judged.at, etaAt: row.etaAt, note: row.note },
  person: personIn(judged),
});

/** It said nothing new: the one before stands. */
const kept = (judged: Judged, previous: Standing): AnswerResult => ({
  first: false,
  key: previous.key,
  previousKey: previous.key,
  standing: previous,
  person: personIn(judged),
});

async function writeOnce(deps: Pick<Deps, 'db'>, tenantId: number, rows: readonly AnswerRow[]): Promise<(AnswerResult | Problem)[]> {
  const results: (AnswerResult | Problem)[] = [];
  for (const round of rounds(rows)) {
    const part = round.flatMap((i) => rows[i] ?? []);
    // One packet each way: 17 ms a group when built, planned and waited for statement by statement, 3,700 answers/s from 64 people at a time.
    const judged = await deps.db.atOnce(tenantId, (tx) => writeFirst(tx, tenantId, part));
    const again: number[] = [];
    for (const [place, i] of round.entries()) {
      const row = rows[i];
      const mine = judged[place];
      if (!row || !mine) continue;
      if (mine.verdict === 'again') again.push(place);
      else results[i] = mine.verdict === 'first' ? taken(row, mine, undefined) : REFUSALS[mine.verdict]();
    }
    if (again.length === 0) continue;
    const changed = await changeAnswers(
      deps,
      tenantId,
      again.flatMap((place) => part[place] ?? []),
      again.flatMap((place) => judged[place] ?? []),
    );
    for (const [n, place] of again.entries()) {
      const i = round[place];
      const result = changed[n];
      if (i !== undefined && result) results[i] = result;
    }
  }
  return results;
}

/** Answers of people who have answered before; `judged` in the same order. */
async function changeAnswers(deps: Pick<Deps, 'db'>, tenantId: number, rows: readonly AnswerRow[], judged: readonly Judged[]): Promise<AnswerResult[]> {
  return deps.db.withTenant(tenantId, async (tx) => {
    const before = await writeAgain(tx, tenantId, rows);
    const moved = rows.filter((_, i) => before[i]?.changed);
    const moves = rows.flatMap((row, i) => {
      const { previous, changed } = before[i] ?? { previous: undefined, changed: false };
      return changed
        ? [
            { messageId: row.messageId, key: row.key, n: 1 },
            { messageId: row.messageId, key: previous?.key ?? row.key, n: -1 },
          ]
        : [];
    });
    if (moves.length > 0) await moveTallies(tx, tenantId, moves);
    await notifyAll(tx, tenantId, moved);
    return rows.map((row, i) => {
      const mine = judged[i] as Judged;
      const { previous, changed } = before[i] ?? { previous: undefined, changed: true };
      return changed || !previous ? taken(row, mine, previous) : kept(mine, previous);
    });
  });
}

const notifyAll = (tx: Tx, tenantId: number, rows: readonly AnswerRow[]): Promise<unknown> =>
  Promise.all([...new Set(rows.map((row) => row.messageId))].map((messageId) => notifyProgress(tx, tenantId, messageId)));

const writers = new WeakMap<object, AnswerWriter>();

/** The writer of this process, so that every door (page, text, push) gathers into the same groups. */
export function answerWriter(deps: Pick<Deps, 'db'>): AnswerWriter {
  let writer = writers.get(deps.db);
  if (!writer) {
    writer = createAnswerWriter(deps);
    writers.set(deps.db, writer);
  }
  return writer;
}

/** Records one person's answer to one message; see `AnswerWriter`. */
export const recordAnswer = (deps: Pick<Deps, 'db'>, input: AnswerInput): Promise<AnswerResult> => answerWriter(deps).answer(input);
