import { startProxy } from './proxy.ts';

/** A proxy of its own process, so that it can be stopped by a signal: then nothing answers, and nothing accepts. */
const target = Number(process.argv[2]);
const proxy = await startProxy({ targets: () => [target], backlog: Number(process.argv[3]) });
process.send?.(proxy.url);
