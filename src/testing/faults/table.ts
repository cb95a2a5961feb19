import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Report, RowLine } from './report.ts';
import { ROWS } from './rows.ts';
import type { MutantLine } from './run-mutants.ts';

const DOCUMENT = resolve(import.meta.dirname, '../../../docs/faults.md');
const QUEUES = { postgres: 'Postgres', redis: 'Redis' } as const;

/** A Markdown table whose columns are padded to their widest cell. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map((cell) => cell.replaceAll('|', String.raw`\|`).replaceAll('\n', ' ')));
  const widths = head.map((name, i) => Math.max(name.length, ...clean.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...clean.map(line)].join('\n');
}

const count = (n: number): string => n.toLocaleString('en-US');

const cells = (line: RowLine, short: boolean): string[] => [
  `${line.name}${short ? ' (short)' : ''}`,
  QUEUES[line.queue],
  line.injected,
  count(line.people),
  count(line.lost),
  count(line.doubled),
  count(line.inDoubt),
  line.recoverMs === null ? '-' : `${(line.recoverMs / 1000).toFixed(1)} s`,
  `${line.seconds.toFixed(0)} s`,
  [...(line.broken.length > 0 ? [`**fails: ${line.broken[0]?.split('\n', 1)[0]}**`] : []), ...line.notes].join('; '),
];

interface Shown {
  readonly report: Report;
  readonly line: RowLine;
}

/** WordingInput when, where and from which sources the figures were measured. */
function facts(shown: readonly Shown[]): string {
  const at = shown.map(({ line }) => line.at).sort();
  const loads = shown.map(({ line }) => line.load1).sort((a, b) => a - b);
  const machine = shown[0]?.report.machine;
  const commits = [...new Set(shown.map(({ report }) => report.commit ?? 'not committed'))];
  const held = shown.filter(({ line }) => line.broken.length === 0).length;
  return [
    `${held} of ${shown.length} rows hold. Measured from ${at[0]?.slice(0, 16).replace('T', ' ')} to ${at.at(-1)?.slice(0, 16).replace('T', ' ')} UTC`,
    `on ${machine?.cpus} x ${machine?.model}, ${machine?.memoryGb} GB, ${machine?.system}, Node ${machine?.node}, PostgreSQL ${machine?.postgres}, Redis ${machine?.redis},`,
    `all on loopback; load of the machine at the beginning of each row ${loads[0]?.toFixed(1)} to ${loads.at(-1)?.toFixed(1)}, so times are upper bounds.`,
    `Sources: ${commits.join(', ')}.`,
  ].join(' ');
}

function replace(document: string, name: string, text: string): string {
  const [from, to] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const [a, b] = [document.indexOf(from), document.indexOf(to)];
  if (a < 0 || b < a) throw new Error(`${DOCUMENT} has no ${from} ... ${to}`);
  return `${document.slice(0, a + from.length)}\n\n${text}\n\n${document.slice(b)}`;
}

/** Writes the figures of finished runs into the document; where several files have a row, the last one counts. */
export function writeDocument(files: readonly string[]): string {
  let document = readFileSync(DOCUMENT, 'utf8');
  const reports: Report[] = [];
  for (const file of files) {
    const read = JSON.parse(readFileSync(file, 'utf8')) as Report | { mutants: MutantLine[]; controlSeconds: number };
    if ('rows' in read) reports.push(read);
    else
      document = replace(
        document,
        'mutants',
        `Control: every one of these tests passes with all guards in place (${read.controlSeconds.toFixed(0)} s). ${read.mutants.filter((one) => one.caught).length} of ${read.mutants.length} caught.\n\n` +
          table(
            ['guard', 'taken away', 'test that fails', 'caught', 'seconds'],
            read.mutants.map((one) => [one.guard, one.removed, one.caughtBy, one.caught ? 'yes' : '**no**', one.seconds.toFixed(1)]),
          ),
      );
  }
  if (reports.length > 0) {
    const last = new Map<string, Shown>();
    for (const report of reports) for (const line of report.rows) last.set(`${line.name} ${line.queue}`, { report, line });
    const shown = ROWS.flatMap((row) => Object.keys(QUEUES).flatMap((queue) => last.get(`${row.name} ${queue}`) ?? []));
    const head = ['row', 'queue', 'injected', 'people', 'lost', 'doubled', 'in doubt', 'recovered', 'took', 'besides'];
    const rows = shown.map(({ report, line }) => cells(line, report.short));
    document = replace(document, 'figures', `${facts(shown)}\n\n${table(head, rows)}`);
  }
  writeFileSync(DOCUMENT, document);
  return DOCUMENT;
}
