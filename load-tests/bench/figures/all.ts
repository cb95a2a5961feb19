import { type Bench, OutOfTime } from '#bench/bench.ts';
import type { FigureName } from '#bench/options.ts';
import type { Report } from '#bench/report/report.ts';
import { answers } from './answers.ts';
import { fairShare } from './fair-share.ts';
import { firstCall } from './first-call.ts';
import { growth } from './growth.ts';
import { imports } from './imports.ts';
import { lanes } from './lanes.ts';
import { pace } from './pace.ts';
import { receipts } from './receipts.ts';
import { scaleOut } from './scale-out.ts';
import { throttled } from './throttled.ts';
import { throughput } from './throughput.ts';
import { watchers } from './watchers.ts';

const MEASURES: { readonly [N in FigureName]: (bench: Bench, report: Report) => Promise<void> } = {
  throughput: async (bench, report) => void Object.assign(report, await throughput(bench)),
  firstCall: async (bench, report) => void (report.firstCallMs = await firstCall(bench)),
  growth: async (bench, report) => void (report.growth = await growth(bench)),
  scaleOut: async (bench, report) => void (report.scaleOut = await scaleOut(bench)),
  lanes: async (bench, report) => void (report.lanes = await lanes(bench)),
  fairShare: async (bench, report) => void (report.fairShare = await fairShare(bench)),
  pace: async (bench, report) => void (report.pace = await pace(bench)),
  throttled: async (bench, report) => void (report.throttled = await throttled(bench)),
  answers: async (bench, report) => void (report.answers = await answers(bench)),
  receipts: async (bench, report) => void (report.receipts = await receipts(bench)),
  imports: async (bench, report) => void (report.imports = await imports(bench)),
  watchers: async (bench, report) => void (report.watchers = await watchers(bench)),
};

/** Measures what was asked for, one after the other; one that fails does not take the others with it. */
export async function measure(bench: Bench, report: Report): Promise<void> {
  for (const name of bench.options.figures) {
    bench.say(`-- ${name}`);
    try {
      bench.checkTime();
      await MEASURES[name](bench, report);
    } catch (error) {
      report.failed[name] = (error as Error).message;
      bench.say(`${name} failed: ${error instanceof OutOfTime ? error.message : (error as Error).stack}`);
    }
  }
}
