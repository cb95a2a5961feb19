import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FigureName, Options, Sizes } from '#bench/options.ts';
import { type Machine, machineName } from '#bench/machine.ts';
import { ROOT } from '#bench/processes.ts';
import type { answers } from '#bench/figures/answers.ts';
import type { fairShare } from '#bench/figures/fair-share.ts';
import type { firstCall } from '#bench/figures/first-call.ts';
import type { growth } from '#bench/figures/growth.ts';
import type { imports } from '#bench/figures/imports.ts';
import type { lanes } from '#bench/figures/lanes.ts';
import type { pace } from '#bench/figures/pace.ts';
import type { receipts } from '#bench/figures/receipts.ts';
import type { scaleOut } from '#bench/figures/scale-out.ts';
import type { throttled } from '#bench/figures/throttled.ts';
import type { throughput } from '#bench/figures/throughput.ts';
import type { watchers } from '#bench/figures/watchers.ts';

type Result<F extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<F>>;

/** The JSON object that `--json` prints and `results/` keeps. A figure that was not asked for is missing. */
export interface Report extends Partial<Result<typeof throughput>> {
  readonly at: string;
  readonly mode: Options['mode'];
  readonly seconds: number;
  readonly machine: Machine;
  readonly sizes: Sizes;
  firstCallMs?: Result<typeof firstCall>;
  growth?: Result<typeof growth>;
  scaleOut?: Result<typeof scaleOut>;
  lanes?: Result<typeof lanes>;
  fairShare?: Result<typeof fairShare>;
  pace?: Result<typeof pace>;
  throttled?: Result<typeof throttled>;
  answers?: Result<typeof answers>;
  receipts?: Result<typeof receipts>;
  imports?: Result<typeof imports>;
  watchers?: Result<typeof watchers>;
  readonly notes: readonly string[];
  /** Figures that could not be measured, and why. */
  readonly failed: Partial<Record<FigureName, string>>;
}

/** Keeps the report as `<date>-<machine>[-quick|-part].json`; a later run of the same day replaces it. @returns the path */
export function saveReport(report: Report, whole: boolean): string {
  const folder = join(ROOT, 'load-tests/results');
  mkdirSync(folder, { recursive: true });
  const kind = report.mode === 'full' ? (whole ? '' : '-part') : `-${report.mode}`;
  const path = join(folder, `${report.at.slice(0, 10)}-${machineName(report.machine)}${kind}.json`);
  writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  return path;
}
