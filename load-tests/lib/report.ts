import type { Sample } from './sampler.ts';
import type { Figures, Summary } from './summary-of.ts';

/** A finished run with its course over time and what did not add up. */
export interface Result extends Summary {
  readonly startedAt: string;
  readonly ok: boolean;
  /** Everything that made it fail, in words. */
  readonly problems: readonly string[];
  readonly samples: readonly Sample[];
  readonly machine: { readonly cores: number; readonly cpu: string; readonly memoryGb: number; readonly node: string; readonly k6: string };
}

const escape = (text: unknown): string => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const short = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1));

/** The figures are as wide as a page on a phone allows while their words stay readable. */
const W = 480;
const H = 160;

/** A line over the seconds of the run, with its highest value written at the side. */
function course(title: string, samples: readonly Sample[], value: (sample: Sample) => number): string {
  const most = Math.max(0, ...samples.map(value));
  // A few quick iterations fall between two samples, and a line at zero would say that there were none.
  if (most === 0) return '';
  const last = Math.max(1, samples.at(-1)?.at ?? 1);
  const points = samples.map((sample) => `${((sample.at / last) * W).toFixed(1)},${(H - (value(sample) / most) * (H - 10)).toFixed(1)}`).join(' ');
  return `<figure><figcaption>${escape(title)}: at most ${short(most)}</figcaption><svg viewBox="0 0 ${W} ${H + 20}" role="img" aria-label="${escape(title)}">
<line x1="0" y1="${H}" x2="${W}" y2="${H}"/><polyline points="${points}"/><text x="0" y="${H + 15}">0 s</text><text x="${W}" y="${H + 15}" text-anchor="end">${last.toFixed(0)} s</text></svg></figure>`;
}

function bars(title: string, rows: Record<string, Figures>): string {
  const entries = Object.entries(rows);
  if (entries.length === 0) return '';
  const most = Math.max(1e-9, ...entries.map(([, { p99 }]) => p99));
  const row = 26;
  const bar = (value: number, i: number, kind: string): string =>
    `<rect class="${kind}" x="130" y="${i * row + 4}" width="${((value / most) * (W - 190)).toFixed(1)}" height="16"/>`;
  return `<figure><figcaption>${escape(title)}: median, 95th and 99th percentile</figcaption><svg viewBox="0 0 ${W} ${entries.length * row}" role="img" aria-label="${escape(title)}">${entries
    .map(
      ([name, f], i) =>
        `<text x="0" y="${i * row + 17}">${escape(name)}</text>${bar(f.p99, i, 'p99')}${bar(f.p95, i, 'p95')}${bar(f.med, i, 'med')}<text x="${W}" y="${i * row + 17}" text-anchor="end">${short(f.p99)}</text>`,
    )
    .join('')}</svg></figure>`;
}

const STYLE = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}
svg{width:100%;height:auto}svg text{font-size:15px;fill:currentColor}line{stroke:currentColor;opacity:.3}polyline{fill:none;stroke:#2563eb;stroke-width:2}
.med{fill:#2563eb}.p95{fill:#60a5fa}.p99{fill:#bfdbfe}figure{margin:1.5rem 0}table{border-collapse:collapse;width:100%}.scroll{overflow-x:auto}td,th{padding:.2rem .4rem;text-align:right}td:first-child,th:first-child{text-align:left}
@media(max-width:30rem){table{font-size:.8rem}td,th{padding:.2rem}}
.good{color:#15803d}.bad{color:#b91c1c;font-weight:600}`;

/** `first_call_ms` as a person says it, without the unit, which heads the table. */
const plainName = (name: string): string => name.replace(/_(?:ms|per_second)$/, '').replaceAll('_', ' ');
const isRate = (name: string): boolean => name.endsWith('_per_second');

/** Rates and times stand in separate tables, since 300 a second is not 300 ms. */
function figureTable(unit: string, rows: Record<string, Figures>): string {
  if (Object.keys(rows).length === 0) return '';
  return `<div class="scroll"><table><thead><tr><th>${unit}</th><th>count</th><th>median</th><th>p95</th><th>p99</th><th>max</th></tr></thead><tbody>${figureRows(rows)}</tbody></table></div>`;
}

const figureRows = (rows: Record<string, Figures>): string =>
  Object.entries(rows)
    .map(
      ([name, f]) =>
        `<tr><td>${escape(plainName(name))}</td><td>${f.count}</td>${[f.med, f.p95, f.p99, f.max].map((value) => `<td>${short(value)}</td>`).join('')}</tr>`,
    )
    .join('');

const list = (items: readonly { ok: boolean; text: string }[]): string =>
  `<ul>${items.map(({ ok, text }) => `<li class="${ok ? 'good' : 'bad'}">${ok ? '✓' : '✗'} ${escape(text)}</li>`).join('')}</ul>`;

const only = (rows: Record<string, Figures>, wanted: (name: string) => boolean): Record<string, Figures> =>
  Object.fromEntries(Object.entries(rows).filter(([name]) => wanted(name)));

/** One page without scripts or outside files. */
export function reportHtml(result: Result): string {
  const { machine, settings } = result;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(result.name)} ${escape(result.run)}</title><style>${STYLE}</style></head><body>
<h1>${escape(result.name)}: <span class="${result.ok ? 'good' : 'bad'}">${result.ok ? 'passed' : 'failed'}</span></h1>
<p>${escape(result.startedAt.slice(0, 19).replace('T', ' '))} UTC, ${result.seconds.toFixed(1)} s, ${result.counters['http_requests'] ?? 0} requests, ${settings.people} people${result.quick ? ', quick: a check of the scripts, no measurement' : ''}.<br>
${escape(machine.cpu)}, ${machine.cores} cores, ${machine.memoryGb} GB; Node ${escape(machine.node)}; ${escape(machine.k6)}. Muster, its carriers and k6 share the machine.</p>
${result.problems.length > 0 ? `<h2>What went wrong</h2>${list(result.problems.map((text) => ({ ok: false, text })))}` : ''}
${result.samples.length > 1 ? course('Requests a second', result.samples, (s) => s.requestsPerSecond) + course('Mean answer, ms', result.samples, (s) => s.meanMs) + course('Virtual users', result.samples, (s) => s.vus) : ''}
${bars('Milliseconds', result.requests)}
${figureTable('ms', { ...result.requests, ...only(result.trends, (name) => !isRate(name)) })}
${figureTable('a second', only(result.trends, isRate))}
<h2>Counts</h2><ul>${Object.entries(result.counters)
    .map(([name, count]) => `<li>${escape(plainName(name))}: ${count.toLocaleString('en')}</li>`)
    .join('')}</ul>
<h2>Checks and thresholds</h2>${list([
    ...result.checks.map(({ name, passes, fails }) => ({ ok: fails === 0, text: `${name} (${passes} of ${passes + fails})` })),
    ...result.thresholds.map(({ metric, rule, ok }) => ({ ok, text: `${metric} ${rule}` })),
  ])}
</body></html>
`;
}
