import type { ChildProcess } from 'node:child_process';
import { startNode } from '#bench/processes.ts';
import type { SubscriptionKeys } from '#bench/people.ts';

/** The channels that are measured, each beside its bare library. */
export type MeasuredChannel = 'sms' | 'email' | 'push';

/** What a contestant is told at its start. */
export interface ContestantConfig {
  readonly channel: MeasuredChannel;
  readonly smsUrl: string;
  readonly mailPort: number;
  readonly pushUrl: string;
  readonly vapid: { readonly publicKey: string; readonly privateKey: string };
  readonly keys: readonly SubscriptionKeys[];
  /** Of the textbook stack. */
  readonly databaseUrl: string;
  /** Undefined: its queue runs on Postgres. */
  readonly redisUrl: string | undefined;
}

/** Sends `count` messages and resolves when the last was accepted and, where it keeps rows, written. */
export interface Contestant {
  send(count: number): Promise<void>;
  close(): Promise<void>;
}

export interface ContestantRun {
  readonly ms: number;
  readonly cpuMs: number;
  readonly rssMb: number;
}

export type ContestantReply = ContestantRun | { readonly error: string };

export interface RunningContestant {
  run(count: number): Promise<ContestantRun>;
}

/** A contestant in a process of its own, kept over all rounds as Muster's processes are. */
export async function startContestant(
  kind: 'bare' | 'textbook',
  config: ContestantConfig,
  options: { logFile: string; certificate: string | undefined },
): Promise<RunningContestant> {
  const env = options.certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: options.certificate };
  const child = startNode('load-tests/bench/contestants/main.ts', [kind], { env, logFile: options.logFile });
  const ask = (message: unknown): Promise<ContestantReply> => answerOf(child, message, options.logFile);
  const ready = await ask({ config });
  if ('error' in ready) throw new Error(`${kind} ${config.channel}: ${ready.error}`);
  return {
    run: async (count) => {
      const reply = await ask({ count });
      if ('error' in reply) throw new Error(`${kind} ${config.channel}: ${reply.error}`);
      return reply;
    },
  };
}

function answerOf(child: ChildProcess, message: unknown, logFile: string): Promise<ContestantReply> {
  return new Promise((done, fail) => {
    const ended = (): void => fail(new Error(`a contestant ended; its output is in ${logFile}`));
    child.once('exit', ended);
    child.once('message', (reply) => {
      child.off('exit', ended);
      done(reply as ContestantReply);
    });
    child.send(message as object);
  });
}

/** Runs `work(0)` to `work(count - 1)`, `lanes` of them at a time. */
export async function overConnections(count: number, lanes: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, count) }, lane));
}
