import type { ChannelResult } from '#bench/figures/throughput.ts';
import type { Report } from '#bench/report/report.ts';

/** What a figure should reach on two cores with everything on one machine. */
interface Row {
  readonly name: string;
  readonly value: number | null | undefined;
  readonly unit: string;
  readonly target?: { readonly is: '>=' | '<='; readonly than: number };
  readonly more?: string;
}

const atLeast = (than: number) => ({ is: '>=' as const, than });
const atMost = (than: number) => ({ is: '<=' as const, than });

const CHANNEL_TARGETS = { sms: { bare: 0.8, textbook: 10 }, email: { bare: 0.75, textbook: 4 }, push: { bare: 0.85, textbook: 2.5 } } as const;
const CHANNEL_NAMES = { sms: 'SMS', email: 'e-mail', push: 'push' } as const;

function channelRows(channel: keyof typeof CHANNEL_TARGETS, result: ChannelResult | undefined): Row[] {
  if (!result) return [];
  const name = CHANNEL_NAMES[channel];
  const rates = `${result.perSecond}/s, bare loop ${result.bareLoopPerSecond}/s, textbook ${result.textbookPerSecond}/s; ${result.cpuMicrosPerMessage} us CPU, ${result.rssMb} MB`;
  const other = result.onPostgresQueue;
  return [
    { name: `${name}: Muster / bare loop`, value: result.ratioToBare, unit: 'x', target: atLeast(CHANNEL_TARGETS[channel].bare), more: rates },
    { name: `${name}: Muster / textbook`, value: result.ratioToTextbook, unit: 'x', target: atLeast(CHANNEL_TARGETS[channel].textbook) },
    ...(result.queue === 'redis'
      ? [{ name: `${name}: on the Postgres queue / bare loop`, value: other.ratioToBare, unit: 'x', more: `${other.perSecond}/s` }]
      : []),
  ];
}

function rowsOf(report: Report): Row[] {
  const { firstCallMs: first, growth, scaleOut, lanes, fairShare, pace, throttled, answers, receipts, imports, watchers } = report;
  const rows: (Row | false | undefined)[] = [
    ...(['sms', 'email', 'push'] as const).flatMap((channel) => channelRows(channel, report[channel])),
    first && { name: `first call, audience ${first.audience}`, value: first.p99, unit: 'ms p99', target: atMost(50), more: `p50 ${first.p50} ms` },
    growth && { name: `first call, audience ${growth.large}`, value: growth.firstCallMs, unit: 'ms', target: atMost(300) },
    growth && {
      name: `cost of a delivery at ${growth.large} / at ${growth.small}`,
      value: growth.ratio,
      unit: 'x',
      target: atMost(1.15),
      more: `CPU ${growth.cpuRatio} x`,
    },
    growth && {
      name: `worker memory at ${growth.large}`,
      value: growth.rssMb,
      unit: 'MB',
      target: atMost(256),
      more: `${growth.rssMbEarly} MB early, ${growth.rssMbLate} MB late`,
    },
    scaleOut && { name: 'two workers / one', value: scaleOut.ratio, unit: 'x', target: atLeast(1.3), more: `CPU per message ${scaleOut.cpuRatio} x` },
    lanes && {
      name: `life beside ${lanes.bulk} bulk: first call`,
      value: lanes.firstCallMs,
      unit: 'ms',
      target: atMost(250),
      more: `idle ${lanes.idleFirstCallMs} ms`,
    },
    lanes && { name: `life beside ${lanes.bulk} bulk: time / idle time`, value: lanes.ratio, unit: 'x', target: atMost(1.3) },
    fairShare && { name: `${fairShare.few} of a small tenant beside ${fairShare.huge}: time / idle`, value: fairShare.ratio, unit: 'x', target: atMost(2) },
    ...(pace?.runs ?? []).flatMap((run): Row[] => {
      const name = `pace ${run.unitsPerSecond} units/s, ${run.workers} workers${run.unitsPerMessage > 1 ? `, ${run.unitsPerMessage} segments` : ''}`;
      return [
        { name: `${name}: share of the rate`, value: run.share, unit: 'x', target: atLeast(0.98), more: `busiest second ${run.busiestSecond} units` },
        { name: `${name}: busiest second / rate`, value: run.busiestSecond / run.unitsPerSecond, unit: 'x', target: atMost(1) },
      ];
    }),
    throttled && {
      name: 'throttled provider: refused after 10 s',
      value: throttled.refusedShareAfter,
      unit: 'share',
      target: atMost(0.02),
      more: `lost ${throttled.lost}`,
    },
    answers && { name: 'answers / empty route', value: answers.ratioToEmptyRoute, unit: 'x', target: atLeast(0.4), more: `${answers.perSecond}/s` },
    answers && { name: 'answers / one INSERT each', value: answers.ratioToOneInsertEach, unit: 'x', target: atLeast(3.5) },
    answers && { name: 'answers at 70 % of that load', value: answers.p99Ms, unit: 'ms p99', target: atMost(100), more: `dropped ${answers.dropped}` },
    receipts && {
      name: 'receipts: fan-out slowed by',
      value: receipts.slowdown,
      unit: 'share',
      target: atMost(0.25),
      more: `alone ${receipts.perSecond}/s; ${receipts.perSend} a send`,
    },
    imports && { name: `import of ${imports.rows} rows`, value: imports.rowsPerSecond, unit: 'rows/s', target: atLeast(30_000) },
    imports && { name: 'import: memory of the API', value: imports.rssMb, unit: 'MB', target: atMost(300) },
    watchers && {
      name: `${watchers.watchers} watchers: fan-out slowed by`,
      value: watchers.slowdown,
      unit: 'share',
      target: atMost(0.05),
      more: `${watchers.events} events`,
    },
  ];
  return rows.filter((row) => row !== false && row !== undefined);
}

const shown = (value: number): string => (Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3))));

function verdict({ value, target }: Row, mode: Report['mode']): string {
  if (!target || mode === 'tiny') return '';
  if (value === null || value === undefined || !Number.isFinite(value)) return 'not measured';
  return (target.is === '>=' ? value >= target.than : value <= target.than) ? 'met' : 'missed';
}

/** The report as people read it, with each figure beside its target. */
export function table(report: Report): string {
  const cells = rowsOf(report).map((row) => [
    row.name,
    row.value === null || row.value === undefined ? '-' : `${shown(row.value)} ${row.unit}`,
    row.target ? `${row.target.is} ${row.target.than.toLocaleString('en')}` : '',
    verdict(row, report.mode),
    row.more ?? '',
  ]);
  const head = ['figure', 'measured', 'target', '', ''];
  const widths = head.map((_, i) => Math.max(...[head, ...cells].map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 4 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  const { machine } = report;
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB; ${machine.system}; Node ${machine.node}; PostgreSQL ${machine.postgres}; Redis ${machine.redis ?? 'none'}`,
    `Carriers: ${machine.smsAndPushCarrier}, ${machine.mailCarrier}. Load before: ${machine.loadBefore}. Mode: ${report.mode}.`,
    '',
    line(head),
    line(widths.map((width) => '-'.repeat(width))),
    ...cells.map(line),
    ...(report.notes.length > 0 ? ['', ...report.notes.map((text) => `Note: ${text}`)] : []),
    ...Object.entries(report.failed).map(([name, why]) => `FAILED ${name}: ${why}`),
    '',
  ].join('\n');
}
