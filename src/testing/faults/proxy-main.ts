import { startProxy } from './proxy.ts';

/** A proxy in a process of its own, so that a signal can stop it: then nothing answers, and nothing accepts connections. */
const target = Number(process.argv[2]);
const proxy = await startProxy({ targets: () => [target], backlog: Number(process.argv[3]) });
process.send?.(proxy.url);
