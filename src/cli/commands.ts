import { createReadStream, createWriteStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { systemClock } from '#platform/clock.ts';
import { formatDuration } from '#platform/duration.ts';
import type { MessageView, Page, PreviewView } from '#schemas/views.ts';
import { messageOf, previewOf, textOf } from './compose.ts';
import { type Command, type CommandInput, flag, type Flags, type Io, UsageError, word } from './io.ts';
import { progressOf } from './progress-lines.ts';
import { watch } from './watch.ts';

const number = new Intl.NumberFormat('en');
const printJson = (io: Io, value: unknown): void => io.out(`${JSON.stringify(value, null, 2)}\n`);
const at = (id: string): string => `/messages/${encodeURIComponent(id)}`;

interface ImportReport {
  id: string;
  created: number;
  updated: number;
  unchanged: number;
  merged?: number;
  rejected: number;
  erased: number;
  errors: { line: number; field: string; detail: string }[];
}

const acknowledgeImport = async ({ api, io, flags }: CommandInput, id: string): Promise<void> => {
  const seen = await api.json<{ id: string; rejected: number; acknowledgedBy: string | null }>(`/imports/${encodeURIComponent(id)}/acknowledge`, {
    method: 'POST',
  });
  if (flags['json'] === true) return printJson(io, seen);
  io.out(`${seen.id}: ${number.format(seen.rejected)} rejected, acknowledged by ${seen.acknowledgedBy}\n`);
};

export const importPeople: Command = async (input) => {
  const { api, io, words, flags } = input;
  const seen = flag(flags, 'acknowledge');
  if (seen !== undefined && words.length > 0) throw new UsageError('name a file, or say --acknowledge, not both');
  if (seen !== undefined) return acknowledgeImport(input, seen);
  const file = word(words, 0, 'the file (or - for standard input)');
  if (file !== '-')
    await access(file).catch((error: unknown) => {
      throw new UsageError(`${file}: no such file, or it cannot be read`, { cause: error });
    });
  const format = flag(flags, 'format') ?? (/\.(ndjson|jsonl)$/i.test(file) ? 'ndjson' : 'csv');
  if (format !== 'csv' && format !== 'ndjson') throw new UsageError(`--format ${format}: say csv or ndjson`);
  const source = file === '-' ? Readable.from(io.stdin) : createReadStream(file);
  const report = await api.json<ImportReport>('/recipients/import', {
    method: 'POST',
    body: Readable.toWeb(source) as unknown as ReadableStream<Uint8Array>,
    type: format === 'csv' ? 'text/csv' : 'application/x-ndjson',
  });
  if (flags['json'] === true) return printJson(io, report);
  io.out(
    `${number.format(report.created)} created, ${number.format(report.updated)} updated, ${number.format(report.unchanged)} unchanged, ${number.format(report.merged ?? 0)} merged, ${number.format(report.rejected)} rejected\n`,
  );
  for (const error of report.errors) io.err(`line ${error.line}: ${error.field}: ${error.detail}\n`);
  if (report.rejected > report.erased)
    io.err(`messages may miss the rejected rows and ask about them until somebody says they are seen: import --acknowledge ${report.id}\n`);
  return undefined;
};

export const preview: Command = async ({ api, io, flags }) => {
  const shown = await api.json<PreviewView>('/audiences/preview', { method: 'POST', json: previewOf(flags, systemClock.now()) });
  if (flags['json'] === true) return printJson(io, shown);
  io.out(`${number.format(shown.count)} people (hash ${shown.hash})\n`);
  for (const [channel, people] of Object.entries(shown.channels)) io.out(`  ${channel.padEnd(6)} ${number.format(people)}\n`);
  io.out(`  not reachable ${number.format(shown.unreachable)}, suppressed ${number.format(shown.suppressed)}\n`);
  if (shown.segments > 0)
    io.out(`  ${shown.segments} SMS segment${shown.segments === 1 ? '' : 's'} each (${shown.encoding}), ${number.format(shown.units)} in all\n`);
  const pace = shown.forecast.perChannel.filter((row) => row.people > 0 && row.seconds !== null);
  for (const row of pace) io.out(`  ${row.channel.padEnd(6)} last call after ${formatDuration(row.seconds ?? 0)}\n`);
  io.out(`  the last person: ${shown.forecast.seconds === null ? 'as fast as the carriers take it' : `after ${formatDuration(shown.forecast.seconds)}`}\n`);
  for (const warning of shown.warnings) io.err(`warning: ${warning.detail}\n`);
};

/** Writes a draft, shows its count, asks, and launches exactly the audience that was shown. */
export const send: Command = async (input) => {
  const { api, io, flags } = input;
  const body = messageOf(flags, systemClock.now());
  const draftOnly = flags['draft'] === true;
  if (!draftOnly && flags['yes'] !== true && !io.stdin.isTTY)
    throw new UsageError('nobody is at the terminal to confirm: add --yes to launch, or --draft to only write it');
  const draft = await api.json<MessageView>('/messages', { method: 'POST', json: { ...body, launch: false } });
  const people = number.format(draft.audience.count ?? 0);
  io.err(`${draft.id}: a draft for ${people} people\n`);
  if (draftOnly) return flags['json'] === true ? printJson(io, draft) : io.out(`${draft.id}\n`);
  if (flags['yes'] !== true) {
    const answer = await io.ask(`Send this ${draft.drill ? 'EXERCISE' : `live ${draft.class} message`} to ${people} people? Type the number to confirm: `);
    if (answer?.replaceAll(',', '').trim() !== String(draft.audience.count ?? 0)) throw new UsageError(`not confirmed; the draft ${draft.id} is kept`);
  }
  const acknowledge = [...(flags['again'] === true ? ['repeated_text'] : []), ...(flags['despite-rejected'] === true ? ['rejected_rows'] : [])];
  const launched = await api.json<MessageView>(`${at(draft.id)}/launch`, {
    method: 'POST',
    json: {
      ...(draft.audience.hash === null ? {} : { audienceHash: draft.audience.hash }),
      ...(acknowledge.length === 0 ? {} : { acknowledge }),
    },
  });
  if (flags['watch'] === true) return watch({ ...input, words: [launched.id] });
  return flags['json'] === true ? printJson(io, launched) : io.out(`${launched.id}\n`);
};

interface Scope {
  readonly body: { scope: 'installation' | 'tenant' | 'channel'; channel?: string };
  readonly what: string;
}

/** What to hold or let go besides one message; undefined where no flag says so. */
function scopeOf(flags: Flags): Scope | undefined {
  const channel = flag(flags, 'channel');
  const given: Scope[] = [
    ...(flags['all'] === true ? [{ body: { scope: 'tenant' as const }, what: 'all sending' }] : []),
    ...(flags['installation'] === true ? [{ body: { scope: 'installation' as const }, what: 'the whole installation' }] : []),
    ...(channel === undefined ? [] : [{ body: { scope: 'channel' as const, channel }, what: channel }]),
  ];
  if (given.length > 1) throw new UsageError('say one of --all, --channel and --installation');
  return given[0];
}

async function holdOrRelease({ api, io, flags }: CommandInput, { body, what }: Scope, release: boolean): Promise<void> {
  const result = await api.json<{ inFlight: number }>('/stop', { method: 'POST', json: { ...body, ...(release ? { release } : {}) } });
  if (flags['json'] === true) return printJson(io, result);
  io.out(release ? `${what}: released\n` : `${what}: stopped, ${number.format(result.inFlight)} already in flight\n`);
}

export const release: Command = (input) => {
  const scope = scopeOf(input.flags);
  if (!scope) throw new UsageError('say what to release: --all, --channel sms or --installation (a stopped message stays stopped)');
  return holdOrRelease(input, scope, true);
};

export const stop: Command = async (input) => {
  const { api, io, words, flags } = input;
  const scope = scopeOf(flags);
  if (scope && words.length > 0) throw new UsageError('name a message, or say --all, --channel or --installation, not both');
  if (scope) return holdOrRelease(input, scope, false);
  const result = await api.json<{ message: MessageView; inFlight: number; cancelled: number }>(`${at(word(words, 0, 'the message id'))}/stop`, {
    method: 'POST',
  });
  if (flags['json'] === true) return printJson(io, result);
  io.out(`${result.message.state}: ${number.format(result.cancelled)} cancelled, ${number.format(result.inFlight)} already in flight\n`);
};

const followUp =
  (verb: 'correct' | 'all-clear'): Command =>
  async ({ api, io, words, flags }) => {
    const title = flag(flags, 'title');
    const made = await api.json<MessageView>(`${at(word(words, 0, 'the message id'))}/${verb}`, {
      method: 'POST',
      json: { text: textOf(flags), ...(title === undefined ? {} : { title }) },
    });
    if (flags['json'] === true) return printJson(io, made);
    io.err(`to ${number.format(made.audience.count ?? 0)} people who may have had it\n`);
    if (made.minutesToCorrection !== null) io.err(`${number.format(made.minutesToCorrection)} minutes after the launch\n`);
    io.out(`${made.id}\n`);
  };
export const correct = followUp('correct');
export const allClear = followUp('all-clear');

const EXPORTS = ['deliveries', 'answers', 'spread'];

export const exportList: Command = async ({ api, io, words, flags }) => {
  const id = word(words, 0, 'the message id');
  const what = word(words, 1, `what to export (${EXPORTS.join(', ')})`);
  if (!EXPORTS.includes(what)) throw new UsageError(`${what}: say ${EXPORTS.join(', ')}`);
  const format = flags['json'] === true ? 'json' : 'csv';
  const response = await api.call(`${at(id)}/${what}?format=${format}`, { signal: io.signal });
  const output = flag(flags, 'output');
  const body = response.body as unknown as AsyncIterable<Uint8Array> | null;
  if (output !== undefined) return pipeline(Readable.from(body ?? []), createWriteStream(output));
  const decoder = new TextDecoder();
  for await (const chunk of body ?? []) io.out(decoder.decode(chunk, { stream: true }));
  return undefined;
};

export const list: Command = async ({ api, io, flags }) => {
  const query = new URLSearchParams();
  for (const name of ['state', 'limit', 'cursor']) {
    const value = flag(flags, name);
    if (value !== undefined) query.set(name, value);
  }
  const page = await api.json<Page<MessageView>>(`/messages?${query.toString()}`);
  if (flags['json'] === true) return printJson(io, page);
  for (const message of page.items) {
    const { done, total } = progressOf(message);
    const text = (message.title ?? Object.values(message.text)[0] ?? '').replaceAll('\n', ' ');
    io.out(
      `${message.id}  ${message.state.padEnd(9)}  ${(message.drill ? 'drill' : message.class).padEnd(5)}  ${`${done}/${total}`.padStart(13)}  ${[...text].slice(0, 60).join('')}\n`,
    );
  }
  if (page.next !== null) io.err(`more: --cursor ${page.next}\n`);
};
