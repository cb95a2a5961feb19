import type { Figures, Summary } from './summary-of.ts';

const WIDTH = 40;
const ms = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

/** A bar from the median to the 95th and 99th percentile, to the scale of the slowest: ██▓▓░ */
function bar({ med, p95, p99 }: Figures, scale: number): string {
  const upTo = (value: number): number => Math.round((value / scale) * WIDTH);
  return `${'█'.repeat(upTo(med))}${'▓'.repeat(Math.max(0, upTo(p95) - upTo(med)))}${'░'.repeat(Math.max(0, upTo(p99) - upTo(p95)))}`;
}

function table(title: string, rows: Record<string, Figures>): string[] {
  const entries = Object.entries(rows);
  if (entries.length === 0) return [];
  const scale = Math.max(1, ...entries.map(([, { p99 }]) => p99));
  const wide = Math.max(...entries.map(([name]) => name.length));
  return [
    '',
    `  ${title}${' '.repeat(Math.max(1, wide + 2 - title.length))}${['count', 'med', 'p95', 'p99', 'max'].map((head) => head.padStart(8)).join('')}   █ median ▓ p95 ░ p99`,
    ...entries.map(
      ([name, f]) =>
        `  ${name.padEnd(wide + 2)}${[String(f.count), ms(f.med), ms(f.p95), ms(f.p99), ms(f.max)].map((cell) => cell.padStart(8)).join('')}   ${bar(f, scale)}`,
    ),
  ];
}

/** The whole run on one screen, for a terminal. */
export function summaryText(summary: Summary): string {
  const { settings } = summary;
  return [
    '',
    `${summary.name}${summary.quick ? ' (quick)' : ''}: ${summary.seconds.toFixed(1)} s, ${summary.counters['http_requests'] ?? 0} requests, ${settings.people} people`,
    ...table('ms', summary.requests),
    ...Object.entries(summary.trends).flatMap(([name, figures]) => table(name, { '': figures })),
    '',
    ...Object.entries(summary.counters).map(([name, count]) => `  ${name}: ${count}`),
    '',
    ...summary.checks.map(({ name, passes, fails }) => `  ${fails === 0 ? 'ok  ' : 'FAIL'} ${name} (${passes} of ${passes + fails})`),
    ...summary.thresholds.filter(({ ok }) => !ok).map(({ metric, rule }) => `  FAIL ${metric} ${rule}`),
    '',
  ].join('\n');
}
