import type { AnswerWay } from '#schemas/delivery.ts';
import { conflict, Problem } from '#platform/errors.ts';
import type { Deps } from '#services/context.ts';
import type { AnswerRow } from './answer-sql.ts';
import { type AnswerResult, personOf, writeGroup } from './write-group.ts';

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
  /** The provider's id of an inbound text (MessageSid): the same text counts once. */
  readonly dedupKey?: string | undefined;
}

export interface AnswerWriter {
  /**
   * Resolves when the answer is committed.
   * @throws Problem 404 `not_found`; 410 `gone` or `closed`; 422 `unknown_answer`
   */
  answer(input: AnswerInput): Promise<AnswerResult>;
}

const GROUP_MAX = 500;
/** Only its own people wait for a group that takes longer; 99 of 100 groups take less than 15 ms. */
const SLOW_MS = 50;
/** One slow group and one beside it are written at a time; more would only queue on the same rows. */
const IN_FLIGHT = 2;

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

/** Control characters other than line feed and tab say nothing, and Postgres takes no NUL. */
const clean = (note: string | undefined): string | null =>
  note
    ?.replace(/(?![\n\t])\p{Cc}/gu, ' ')
    .trim()
    .slice(0, 500) || null;

/**
 * Gathers concurrent answers of a tenant into one transaction with set-based SQL. There is one writer per process.
 *
 * A lone answer is written at once. Answers that come while a group is being written go with the next group, so that groups
 * are as large as there is need. Before, two groups at a time were gathered for 2 ms each, which a lone person waited for.
 * From 64 people at a time the two ways cannot be told apart with certainty
 * (docs/decisions/2026-11-23-answers-in-groups.md).
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
      // The replies are made only now, so that the database has the next group before them.
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
        // It waits for one turn of the event loop, so that everything that has arrived by now is read and goes along.
        if (queue.underWay.size < IN_FLIGHT) queue.soon ??= setImmediate(() => flush(input.tenantId, queue));
      }),
  };
}

/**
 * Takes the next group out of the answers that wait. Those of people in a slow group wait for its end, since a later answer
 * must be written later.
 */
function take(queue: Queue, slow: readonly Group[]): Waiting[] {
  if (slow.length === 0) return queue.waiting.splice(0, GROUP_MAX);
  const held = new Set(slow.flatMap(({ members }) => members.map(({ row }) => personOf(row))));
  const members = queue.waiting.filter(({ row }) => !held.has(personOf(row))).slice(0, GROUP_MAX);
  const taken = new Set(members);
  queue.waiting = queue.waiting.filter((one) => !taken.has(one));
  return members;
}

/** Writes a group and never throws. @returns a function that tells each caller their own result or error */
async function settle(deps: Pick<Deps, 'db'>, tenantId: number, group: readonly Waiting[]): Promise<() => void> {
  try {
    const results = await writeGroup(
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
    // A row that the database refuses (22 is a data exception, 23 a violated constraint) must not take its group with it.
    if (group.length > 1 && /^2[23]/.test((error as { code?: string }).code ?? '')) {
      const tellings: (() => void)[] = [];
      for (const one of group) tellings.push(await settle(deps, tenantId, [one]));
      return () => tellings.forEach((tell) => tell());
    }
    const reason = error instanceof Error ? error : new Error('the answer was not written', { cause: error });
    return () => group.forEach((one) => one.fail(reason));
  }
}

const writers = new WeakMap<object, AnswerWriter>();

/** The writer of this process, so that answers by page, text and push are gathered into the same groups. */
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
