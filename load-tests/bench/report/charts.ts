import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '#bench/processes.ts';
import { barChart, type BarGroup } from './bar-chart.ts';
import type { Report } from './report.ts';

const CHANNELS = { sms: 'SMS', email: 'E-mail', push: 'Web push' } as const;

function throughputGroups(report: Report): BarGroup[] {
  return (['sms', 'email', 'push'] as const).flatMap((channel) => {
    const result = report[channel];
    if (!result) return [];
    const both = result.queue === 'redis';
    const bars = [
      { name: 'bare loop', value: result.bareLoopPerSecond },
      { name: both ? 'Muster, Redis' : 'Muster', value: result.perSecond, ours: true },
      ...(both ? [{ name: 'Muster, Postgres', value: result.onPostgresQueue.perSecond, ours: true }] : []),
      { name: 'textbook', value: result.textbookPerSecond },
    ];
    return [{ name: CHANNELS[channel], unit: '/s', bars }];
  });
}

function delayGroups({ firstCallMs, growth, lanes }: Report): BarGroup[] {
  const bars = [
    ...(firstCallMs ? [{ name: `idle, ${firstCallMs.audience.toLocaleString('en')} people, p99`, value: firstCallMs.p99, ours: true }] : []),
    ...(growth ? [{ name: `idle, ${growth.large.toLocaleString('en')} people`, value: growth.firstCallMs, ours: true }] : []),
    ...(lanes ? [{ name: `life beside ${lanes.bulk.toLocaleString('en')} bulk`, value: lanes.firstCallMs, ours: true }] : []),
  ];
  return bars.length > 0 ? [{ name: 'From POST to the first call', unit: ' ms', bars }] : [];
}

function answerGroups({ answers }: Report): BarGroup[] {
  if (!answers) return [];
  const bars = [
    { name: 'empty route', value: answers.emptyRoutePerSecond },
    { name: 'Muster', value: answers.perSecond, ours: true },
    { name: 'one INSERT each', value: answers.oneInsertEachPerSecond },
  ];
  return [{ name: 'Answers, durable', unit: '/s', bars }];
}

/** Draws what was measured to `docs/images/bench-*.svg`. @returns the paths */
export function writeCharts(report: Report): string[] {
  const { machine } = report;
  const foot = `${machine.cpu}, ${machine.cores} cores, all on one machine, ${report.at.slice(0, 10)}`;
  const charts: [string, string, BarGroup[]][] = [
    ['bench-throughput', 'Messages a second, one process', throughputGroups(report)],
    ['bench-first-call', 'How soon somebody is called', delayGroups(report)],
    ['bench-answers', 'Answers a second', answerGroups(report)],
  ];
  const folder = join(ROOT, 'docs/images');
  mkdirSync(folder, { recursive: true });
  return charts.flatMap(([name, title, groups]) => {
    if (groups.length === 0) return [];
    const path = join(folder, `${name}.svg`);
    writeFileSync(path, barChart(title, groups, foot));
    return [path];
  });
}
