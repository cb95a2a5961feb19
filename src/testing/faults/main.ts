import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { hasRedis } from '#testing/redis-server.ts';
import { endOnSignals, unlessOver } from './leftovers.ts';
import { MUTANTS } from './mutants.ts';
import { commitOf, machineFacts, type Report, type RowLine } from './report.ts';
import type { Result, Row } from './row.ts';
import { ROWS } from './rows.ts';
import { runMutants } from './run-mutants.ts';
import { PostgresServer, RedisServer } from './servers.ts';
import { writeDocument } from './table.ts';
import { World } from './world.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    queue: { type: 'string', default: 'both' },
    short: { type: 'boolean', default: false },
    seed: { type: 'string' },
    json: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    document: { type: 'string', multiple: true },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  say(
    `npm run faults -- [--only name]... [--queue postgres|redis|both] [--short] [--seed n] [--json file]\nnpm run faults -- --mutants [--only guard]... [--short] [--json file]\nnpm run faults -- [--document file.json]...   figures of these runs into docs/faults.md\n`,
  );
  for (const row of ROWS) say(`  ${row.name.padEnd(20)} ${row.about}${row.only ? ` (${row.only} only)` : ''}`);
  say(`\nguards: ${[...new Set(MUTANTS.map((mutant) => mutant.guard))].join(', ')}`);
  process.exit(0);
}

if (values.document) {
  say(writeDocument(values.document));
  process.exit(0);
}

const names = values.mutants ? MUTANTS.map((mutant) => mutant.guard) : ROWS.map((row) => row.name);
const unknown = (values.only ?? []).filter((name) => !names.includes(name));
if (unknown.length > 0 || !['postgres', 'redis', 'both'].includes(values.queue)) {
  process.stderr.write(`unknown: ${[...unknown, values.queue].join(', ')}; see --help\n`);
  process.exit(2);
}
endOnSignals();
if (values.mutants) {
  const { lines, controlSeconds } = await runMutants({ short: values.short, only: values.only, say });
  const file = resolve(values.json ?? '.muster/mutants.json');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ short: values.short, node: process.version, controlSeconds, mutants: lines }, null, 2)}\n`);
  say(`\n${lines.filter((line) => line.caught).length} of ${lines.length} caught; ${file}`);
  process.exit(lines.length > 0 && lines.every((line) => line.caught) ? 0 : 1);
}
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e9));
const backends = (['postgres', 'redis'] as const).filter((queue) => values.queue === 'both' || values.queue === queue);
const folder = resolve('.muster', `faults-${process.pid}`);
mkdirSync(folder, { recursive: true });
say(`seed ${seed}${values.short ? ', short' : ''}`);

async function runRow(row: Row, queue: 'postgres' | 'redis', postgres: PostgresServer): Promise<RowLine> {
  const started = performance.now();
  const at = new Date().toISOString();
  const load1 = loadavg()[0] ?? 0;
  const failed = (error: unknown, log: string): Result => ({
    injected: 'did not come to its end',
    people: 0,
    lost: 0,
    doubled: 0,
    inDoubt: 0,
    recoverMs: null,
    notes: [],
    broken: [error instanceof Error ? (error.stack ?? error.message) : String(error), log],
  });
  const redis = queue === 'redis' ? await RedisServer.start(folder) : undefined;
  let result: Result;
  let world: World | undefined;
  try {
    world = await World.create({ postgres, redis, seed });
    result = await row.run(world, { short: values.short, seed });
  } catch (error) {
    result = failed(error, world?.tail() ?? '');
  }
  await world?.close();
  await redis?.close();
  return { name: row.name, queue, at, load1, seconds: (performance.now() - started) / 1000, ...result };
}

const show = (line: RowLine): string =>
  [
    line.broken.length === 0 ? 'ok  ' : 'FAIL',
    `${line.name} (${line.queue})`.padEnd(30),
    line.injected.padEnd(42),
    `people ${line.people}`.padEnd(14),
    `lost ${line.lost}`.padEnd(8),
    `doubled ${line.doubled}`.padEnd(12),
    `in doubt ${line.inDoubt}`.padEnd(15),
    `recovered ${line.recoverMs === null ? '-' : `${(line.recoverMs / 1000).toFixed(1)} s`}`.padEnd(18),
    `took ${line.seconds.toFixed(0)} s`,
    line.notes.join('; '),
  ].join(' ');

const postgres = await PostgresServer.start(folder);
const lines: RowLine[] = [];
for (const row of ROWS) {
  if (values.only && !values.only.includes(row.name)) continue;
  for (const queue of backends) {
    if (row.only && row.only !== queue) continue;
    if (queue === 'redis' && !hasRedis()) {
      say(`SKIPPED ALOUD: ${row.name} on Redis: no redis-server on this machine`);
      continue;
    }
    const line = await runRow(row, queue, postgres);
    await unlessOver();
    lines.push(line);
    say(show(line));
    for (const broken of line.broken) say(`     broken: ${broken}`);
  }
}
const machine = machineFacts(await postgres.version());
await postgres.close();
const file = resolve(values.json ?? '.muster/faults.json');
const report: Report = { seed, short: values.short, commit: commitOf(import.meta.dirname), machine, rows: lines };
writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
say(`\n${lines.filter((line) => line.broken.length === 0).length} of ${lines.length} hold; ${file}`);
process.exit(lines.length > 0 && lines.every((line) => line.broken.length === 0) ? 0 : 1);
