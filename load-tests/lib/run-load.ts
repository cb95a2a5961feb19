import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '#platform/free-port.ts';
import { CASES, type Prepared } from './cases.ts';
import type { Client } from './client.ts';
import type { Installation } from './installation.ts';
import { importPeople } from './people.ts';
import type { LoadName, LoadPlan, Settings } from './plan.ts';
import { reportHtml, type Result } from './report.ts';
import { sampleUntil } from './sampler.ts';
import { emptinessOf, type Summary } from './summary-of.ts';

export interface LoadRun {
  readonly name: LoadName;
  readonly settings: Settings;
  readonly run: string;
  readonly quick: boolean;
  /** Folder of the results. */
  readonly out: string;
  readonly k6: string;
  readonly target: Installation;
  readonly client: Client;
  readonly stop: AbortSignal;
  readonly say: (line: string) => void;
}

/** Seconds that a script may take beyond its own, for the slowest messages, for setting up and for the summary. */
const GRACE_SECONDS = 180;

/** Carriers without delays and people who do nothing, so that every answer and call is the script's. */
const QUIET = {
  sms: { latencyMs: 0, latencyJitterMs: 0, receipts: { delaySeconds: 0, spread: 0, undeliveredShare: 0 } },
  push: { latencyMs: 0, latencyJitterMs: 0, displaySeconds: 0, beaconShare: 0 },
  email: { latencyMs: 0, latencyJitterMs: 0 },
  crowd: { answerShare: 0, stopShare: 0, bounceShare: 0 },
  robots: { share: 0 },
};

/** Prepares people and links, runs one k6 script, compares what it counted with what is there, and leaves JSON and HTML. */
export async function runLoad(load: LoadRun): Promise<Result> {
  const { name, settings, run, client, target } = load;
  const tag = `load-${run}`;
  const facts = { client, settings, run, tag };
  const folder = mkdtempSync(join(tmpdir(), 'muster-k6-'));
  try {
    load.say(`\n${name}: preparing ${settings.people} people …`);
    await client.control('POST', '', QUIET);
    const lifePeople = await importPeople(client, settings.people, { tag, lifeTag: `${tag}-life` });
    const prepared = await CASES[name].prepare(facts);
    const plan = planOf(load, folder, tag, lifePeople, prepared);
    const callsBefore = await client.calls();
    const startedAt = new Date().toISOString();
    const { code, faults, samples } = await runK6(load, writePlan(folder, plan));
    // 99 says that thresholds were crossed; the summary names them.
    const problems = code === 0 || code === 99 ? [] : [`k6 ended with ${code}`];
    if (!existsSync(plan.summaryFile)) throw new Error(`${name}: k6 left no summary and ended with ${code}:\n${faults.join('\n')}`);
    const summary = JSON.parse(readFileSync(plan.summaryFile, 'utf8')) as Summary;
    problems.push(...emptinessOf(summary), ...faults);
    for (const { metric, rule, ok } of summary.thresholds) if (!ok) problems.push(`threshold crossed: ${metric} ${rule}`);
    if (!load.stop.aborted)
      problems.push(...(await CASES[name].verify({ ...facts, ...prepared, summary, callsBefore, own: target.own }).catch((error: Error) => [error.message])));
    return writeResult(load, { ...summary, startedAt, ok: problems.length === 0, problems, samples, machine: machineOf(load.k6) });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const jsonFile = (folder: string, name: string, value: unknown): string => {
  if (value === undefined) return '';
  const path = join(folder, name);
  // Links are keys to people's pages, and the plan holds an API key.
  writeFileSync(path, JSON.stringify(value), { mode: 0o600 });
  return path;
};

const writePlan = (folder: string, plan: LoadPlan): string => jsonFile(folder, 'plan.json', plan);

const planOf = ({ name, run, quick, settings, target }: LoadRun, folder: string, tag: string, lifePeople: number, prepared: Prepared): LoadPlan => ({
  ...settings,
  name,
  run,
  quick,
  site: target.site,
  simulator: target.simulator,
  apiKey: target.apiKey,
  tag,
  lifeTag: `${tag}-life`,
  lifePeople,
  messageId: prepared.messageId ?? '',
  tokensFile: jsonFile(folder, 'tokens.json', prepared.tokens),
  subscriptionsFile: jsonFile(folder, 'subscriptions.json', prepared.subscriptions),
  summaryFile: join(folder, 'summary.json'),
});

/** Runs the script; what k6 logs as an error (an exception in the script does not fail a run by itself) is a fault. */
async function runK6({ name, k6, settings, stop, say }: LoadRun, planFile: string) {
  const port = await freePort();
  const script = fileURLToPath(new URL(`../${name}.ts`, import.meta.url));
  const child = spawn(k6, ['run', '--quiet', '--no-color', '--no-usage-report', '--address', `127.0.0.1:${port}`, script], {
    // k6 must not reach outside: it sends no reports of use, fetches no extensions and uses no proxies.
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      MUSTER_LOAD_PLAN: planFile,
      K6_NO_USAGE_REPORT: 'true',
      K6_AUTO_EXTENSION_RESOLUTION: 'false',
    },
    stdio: ['ignore', 'inherit', 'pipe'],
    // Ctrl-C must reach this process alone, which passes it on once.
    detached: true,
  });
  const ended = new AbortController();
  const sampling = sampleUntil(`http://127.0.0.1:${port}`, ended.signal);
  const faults: string[] = [];
  let rest = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.includes('level=error') && !line.includes('thresholds on metrics') && faults.length < 20) faults.push(line);
      say(line);
    }
  });
  // k6 ends its iterations at the first SIGINT, and itself at the second.
  const interrupt = (): void => void child.kill('SIGINT');
  stop.addEventListener('abort', interrupt);
  const tooLong = setTimeout(() => child.kill('SIGKILL'), (settings.seconds + GRACE_SECONDS) * 1000);
  const code = await new Promise<number | string | null>((done, fail) => {
    child.once('error', fail);
    child.once('close', (exit, signal) => done(exit ?? signal));
  });
  clearTimeout(tooLong);
  stop.removeEventListener('abort', interrupt);
  ended.abort();
  return { code, faults, samples: await sampling };
}

const machineOf = (k6: string): Result['machine'] => ({
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? 'unknown',
  memoryGb: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  k6: spawnSync(k6, ['version'], { encoding: 'utf8' }).stdout.trim(),
});

function writeResult({ out, name, run, say }: LoadRun, result: Result): Result {
  mkdirSync(out, { recursive: true });
  const file = join(out, `${name}-${result.startedAt.slice(0, 19).replaceAll(':', '')}-${run}`);
  writeFileSync(`${file}.json`, `${JSON.stringify(result, null, 2)}\n`);
  writeFileSync(`${file}.html`, reportHtml(result));
  say(`${result.ok ? 'PASSED' : 'FAILED'} ${name}; report: ${file}.html`);
  for (const problem of result.problems) say(`  ${problem}`);
  return result;
}
