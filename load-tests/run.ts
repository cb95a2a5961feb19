import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Client } from './lib/client.ts';
import { type Installation, runningInstallation, startInstallation } from './lib/installation.ts';
import { runLoad } from './lib/run-load.ts';
import { LOAD_NAMES, type LoadName, settingsHelp, settingsOf } from './lib/plan.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const HELP = `npm run load -- <name> [flags]      load tests with k6, on this machine alone

  ${LOAD_NAMES.join('\n  ')}
  all                 one after the other

  --start             starts an installation of its own and ends it afterwards;
                      without it the one that npm run up keeps in MUSTER_DATA (./.muster) is used
  --quick             a few seconds each: checks the scripts and that everything adds up, measures nothing
  --out <folder>      where results go (load-tests/results)

Environment:
${settingsHelp()}
  REDIS_URL        with --start: the queue on this Redis
`;

interface Wish {
  readonly names: readonly LoadName[];
  readonly quick: boolean;
  readonly start: boolean;
  readonly out: string;
}

function wishOf(args: string[]): Wish | undefined {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { start: { type: 'boolean' }, quick: { type: 'boolean' }, out: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help || positionals.length === 0) return undefined;
  const names = positionals.flatMap((word) => (word === 'all' ? [...LOAD_NAMES] : LOAD_NAMES.filter((name) => name === word)));
  const unknown = positionals.find((word) => word !== 'all' && !LOAD_NAMES.some((name) => name === word));
  if (unknown !== undefined) throw new Error(`there is no load test "${unknown}"; there are ${LOAD_NAMES.join(', ')} and all`);
  return {
    names,
    quick: values.quick === true,
    start: values.start === true,
    out: resolve(values.out ?? fileURLToPath(new URL('./results', import.meta.url))),
  };
}

/** Path of k6, which is built where Go is installed; the installer's own words say what is missing. */
function k6Path(): string | undefined {
  const found = spawnSync(process.execPath, [fileURLToPath(new URL('./install-k6.mjs', import.meta.url))], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

/** Aborted at Ctrl-C or SIGTERM; then k6 is ended first, and what was started after it. */
const interrupted = new AbortController();

async function runAll(wish: Wish, k6: string): Promise<boolean> {
  // Wrong settings are reported before anything starts.
  const planned = wish.names.map((name) => ({ name, settings: settingsOf(name, wish.quick, process.env) }));
  if (wish.start) say('Starting an installation …');
  const target: Installation = wish.start ? await startInstallation(process.env['REDIS_URL']) : runningInstallation(process.env['MUSTER_DATA'] || './.muster');
  const client = new Client(target);
  let behaviour: unknown;
  let ok = true;
  try {
    behaviour = await client.control('GET');
    for (const { name, settings } of planned) {
      if (interrupted.signal.aborted) return false;
      const run = randomBytes(4).toString('hex');
      const result = await runLoad({ name, settings, run, quick: wish.quick, out: wish.out, k6, target, client, stop: interrupted.signal, say });
      ok &&= result.ok;
    }
  } finally {
    // An installation that ran before gets its lively crowd back.
    if (behaviour !== undefined && !target.own) await client.control('POST', '', behaviour);
    await target.close();
  }
  return ok;
}

async function main(): Promise<number> {
  const wish = wishOf(process.argv.slice(2));
  if (!wish) {
    say(HELP);
    return process.argv.includes('--help') || process.argv.includes('-h') ? 0 : 64;
  }
  const k6 = k6Path();
  if (k6 === undefined) return 69;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());
  return (await runAll(wish, k6)) ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
