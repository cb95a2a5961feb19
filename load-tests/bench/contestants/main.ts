import { bareEmail } from './bare-email.ts';
import { barePush } from './bare-push.ts';
import { bareSms } from './bare-sms.ts';
import type { Contestant, ContestantConfig, ContestantReply } from './contestant.ts';
import { textbook } from './textbook.ts';

// This process is one contestant: it is told its configuration first, and then, for each round, how many messages to send.
const BARE = { sms: bareSms, email: bareEmail, push: barePush } as const;
let contestant: Contestant | undefined;

async function obey(message: { config: ContestantConfig } | { count: number }): Promise<ContestantReply> {
  if ('config' in message) {
    const make = process.argv[2] === 'textbook' ? textbook : BARE[message.config.channel];
    contestant = await make(message.config);
    return { ms: 0, cpuMs: 0, rssMb: 0 };
  }
  const before = process.cpuUsage();
  const start = performance.now();
  await contestant?.send(message.count);
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return { ms, cpuMs: (user + system) / 1000, rssMb: process.memoryUsage.rss() / 2 ** 20 };
}

process.on('message', (message: Parameters<typeof obey>[0]) => {
  obey(message).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ error: (error as Error).stack ?? String(error) }),
  );
});
const end = (): void => {
  void Promise.resolve(contestant?.close()).finally(() => process.exit(0));
};
process.on('disconnect', end);
process.on('SIGTERM', end);
