import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Bench, OutOfTime } from './bench.ts';
import { startHttpCarrier } from './carriers/http-carrier.ts';
import { startMailCarrier } from './carriers/mail-carrier.ts';
import { measure } from './figures/all.ts';
import { machineFacts } from './machine.ts';
import { HELP, type Options, OptionsError, readOptions } from './options.ts';
import { startPostgres } from './postgres.ts';
import { endAll, ROOT, startGuard } from './processes.ts';
import { startRedis } from './redis.ts';
import { writeCharts } from './report/charts.ts';
import { type Report, saveReport } from './report/report.ts';
import { table } from './report/table.ts';

/** sysexits.h */
const EX_USAGE = 64;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function prepare(options: Options, folder: string, notes: string[]): Promise<Bench> {
  const start = performance.now();
  const msLeft = (): number => options.budgetMs - (performance.now() - start);
  const note = (line: string): void => {
    notes.push(line);
    say(line);
  };
  say('Starting PostgreSQL and the carriers …');
  const postgres = await startPostgres(folder);
  const redis = options.redis ? await startRedis(folder) : undefined;
  if (!redis) note(`${options.redis ? 'redis-server is not installed' : 'Redis was left out'}: Muster and the textbook stack queue on PostgreSQL`);
  return {
    options,
    sizes: options.sizes,
    folder,
    postgres,
    redis,
    http: await startHttpCarrier(folder, options.nodeCarriers, note),
    mail: await startMailCarrier(folder, options.nodeCarriers, note),
    say,
    note,
    msLeft,
    checkTime: () => {
      if (msLeft() <= 0) throw new OutOfTime();
    },
  };
}

async function run(options: Options, folder: string): Promise<Report> {
  const start = performance.now();
  const notes: string[] = [];
  const bench = await prepare(options, folder, notes);
  const machine = machineFacts({
    postgres: bench.postgres.version,
    postgresSettings: bench.postgres.settings,
    redis: bench.redis?.version ?? null,
    smsAndPushCarrier: bench.http.kind,
    mailCarrier: bench.mail.kind,
  });
  if (machine.loadBefore > machine.cores / 10) bench.note(`the machine was not idle before (load ${machine.loadBefore}): these figures are too low`);
  const report: Report = { at: new Date().toISOString(), mode: options.mode, seconds: 0, machine, sizes: options.sizes, notes, failed: {} };
  await measure(bench, report);
  return { ...report, seconds: Math.round((performance.now() - start) / 1000) };
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') {
    process.stdout.write(HELP);
    return 0;
  }
  const parent = join(ROOT, '.muster');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'bench-'));
  startGuard(folder);
  const end = async (): Promise<void> => {
    await endAll();
    rmSync(folder, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => {
      say('Ending …');
      void end().finally(() => process.exit(130));
    });
  try {
    const report = await run(options, folder);
    if (options.save) {
      const whole = options.mode === 'full' && Object.keys(report.failed).length === 0 && options.figures.length > 10;
      say(`Kept in ${saveReport(report, whole)}`);
      if (options.mode === 'full') for (const path of writeCharts(report)) say(`Drawn: ${path}`);
    }
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : table(report));
    return Object.keys(report.failed).length > 0 ? 1 : 0;
  } finally {
    await end();
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = error instanceof OptionsError ? EX_USAGE : 1;
  say(error instanceof OptionsError ? `${error.message}\n\n${HELP}` : `bench: ${(error as Error).stack}`);
}
