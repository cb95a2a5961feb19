import { startNode } from '#bench/processes.ts';
import type { SubscriptionKeys } from '#bench/people.ts';
import { nextMessage } from '#testing/child.ts';

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
  /** Database of the textbook stack. */
  readonly databaseUrl: string;
  /** Queue of the textbook stack; undefined when it runs on Postgres. */
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

/** Starts a contestant in a process of its own, which is kept over all rounds, as Muster's processes are. */
export async function startContestant(
  kind: 'bare' | 'textbook',
  config: ContestantConfig,
  options: { logFile: string; certificate: string | undefined },
): Promise<RunningContestant> {
  const env = options.certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: options.certificate };
  const child = startNode('load-tests/bench/contestants/main.ts', [kind], { env, logFile: options.logFile });
  const ask = (message: object): Promise<ContestantReply> => {
    const reply = nextMessage<ContestantReply>(child, `a contestant ended; its output is in ${options.logFile}`);
    child.send(message);
    return reply;
  };
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

/** Runs `work(0)` to `work(count - 1)`, `lanes` of them at a time. */
export async function overConnections(count: number, lanes: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(lanes, count) }, lane));
}
