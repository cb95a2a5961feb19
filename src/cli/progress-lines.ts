import { formatDuration } from '#platform/duration.ts';
import { type Channel, countsSegments } from '#schemas/channel-facts.ts';
import type { MessageView } from '#schemas/views.ts';

const number = new Intl.NumberFormat('en');
const PARTS = ' ▏▎▍▌▋▊▉';

/** A bar such as `███▌   `, in eighths of a character. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(Math.max(share, 0), 1) * width * 8);
  const full = Math.floor(eighths / 8);
  return ('█'.repeat(full) + (eighths % 8 > 0 ? PARTS[eighths % 8] : '')).padEnd(width);
}

/** How far a message has come: the share of deliveries whose call has been made or that need none. */
export function progressOf({ deliveries, audience }: Pick<MessageView, 'deliveries' | 'audience'>): { done: number; total: number } {
  const planned = Object.values(deliveries).reduce((sum, n) => sum + n, 0);
  return { done: planned - deliveries.pending - deliveries.attempting, total: Math.max(planned, audience.count ?? 0) };
}

const some = (counts: object): string =>
  Object.entries(counts as Record<string, number>)
    .filter(([, n]) => n > 0)
    .map(([name, n]) => `${name} ${number.format(n)}`)
    .join('  ') || 'none yet';

/** `last call after 2 min 5 s, forecast 3 min 20 s; 1,204 SMS segments, forecast 1,230`; empty until there is a call. */
function paceText({ forecast, fact, state }: MessageView): string {
  if (!fact || fact.seconds === null) return '';
  const expected = forecast === null ? '' : `, forecast ${forecast.seconds === null ? 'as fast as the carriers take it' : formatDuration(forecast.seconds)}`;
  const [used, planned] = [segmentsOf(fact.perChannel), segmentsOf(forecast?.perChannel ?? [])];
  const sms = used + planned === 0 ? '' : `; ${number.format(used)} SMS segments${forecast === null ? '' : `, forecast ${number.format(planned)}`}`;
  return `last call ${state === 'live' ? 'so far ' : ''}after ${formatDuration(fact.seconds)}${expected}${sms}`;
}

/** SMS segments, which people pay for one by one. A unit of the other channels is a message, and messages are counted already. */
const segmentsOf = (rows: readonly { readonly channel: Channel; readonly units: number }[]): number =>
  rows.reduce((sum, row) => sum + (countsSegments(row.channel) ? row.units : 0), 0);

/** Three lines for a terminal that is redrawn, four once calls were made; never wider than `columns`. */
export function progressLines(view: MessageView, columns: number): string[] {
  const { done, total } = progressOf(view);
  const percent = total === 0 ? 0 : done / total;
  const counts = ` ${number.format(done)} of ${number.format(total)} (${Math.floor(percent * 100)} %)`;
  const { shares, visits, joins } = view.spread;
  const spread = shares + visits + joins > 0 ? `   spread: ${number.format(visits)} visits, ${number.format(joins)} joined` : '';
  const pace = paceText(view);
  return [
    `${view.drill ? 'EXERCISE ' : ''}${view.class} ${view.state}  |${bar(percent, Math.min(Math.max(columns - counts.length - 30, 8), 60))}|${counts}`,
    `  calls:   ${some(view.deliveries)}`,
    `  answers: ${some(view.answers)}${spread}`,
    ...(pace === '' ? [] : [`  pace:    ${pace}`]),
  ].map((line) => [...line].slice(0, columns - 1).join(''));
}

/** One line for logs and pipes. */
export function plainLine(view: MessageView): string {
  const { done, total } = progressOf(view);
  // Times are told only at the end: a line that changes every second says nothing in a log.
  const pace = isOver(view) ? paceText(view) : '';
  return `${view.state} ${done}/${total} calls: ${some(view.deliveries)} | answers: ${some(view.answers)}${pace === '' ? '' : ` | ${pace}`}`;
}

/** True when nobody will be called any more. */
export const isOver = (view: MessageView): boolean =>
  (view.state === 'completed' || view.state === 'stopped' || view.state === 'expired') && view.deliveries.pending + view.deliveries.attempting === 0;
