import { parseArgs } from 'node:util';
import { readCliConfig } from '#platform/cli-config.ts';
import { ConfigError } from '#platform/config.ts';
import { CHANNELS } from '#schemas/channel-facts.ts';
import { openApi, Refusal, Unreachable } from './api.ts';
import { allClear, correct, exportList, importPeople, list, preview, release, send, stop } from './commands.ts';
import { type Command, type Flags, type Io, UsageError } from './io.ts';
import { watch } from './watch.ts';

/** Exit codes; 69 and 78 are those of sysexits.h. */
export const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 69, config: 78 } as const;

const HELP = `muster: send one message to many people, and watch what comes of it

Usage: npm run muster -- <verb> [options]

  import <file|->              people from CSV or NDJSON      [--format csv|ndjson]
  import --acknowledge imp_…   its rejected rows are seen: no launch asks about them
  preview --to …               whom a message would reach     [--class] [--channels] [--text]
  send --text … --to …         write and launch a message     [--yes] [--draft] [--watch]
  watch <id>                   live progress                  [--follow]
  stop <id>                    no further call starts; instead of one message:
                               --all your organisation, --channel sms, --installation everything (operators)
  release --all | …            lets it go on; what was queued goes out
  correct <id> --text …        to everyone who may have had it
  all-clear <id> --text …      it is over, to the same people
  export <id> <what>           deliveries, answers or spread as CSV   [--output file]
  list                         messages, newest first         [--state] [--limit] [--cursor]

Message options (send, preview):
  --text WORDS     the text; --text fr="MOTS" for other locales     --locale en  locale of a bare --text
  --to WHO         all, tag:a,b, skill:x, id:rcp_…, near:lat,lon,km; several narrow it down
  --audience JSON  the API's own expression, or @file               --file FILE  a whole message as JSON
  --class ops      life, ops or bulk       --channels ${CHANNELS.join(',')} --title TITLE
  --answer k=Label an answer button; --counts k: it counts as coming
  --expires 4h     also a time; --start likewise      --drill  an exercise      --share  people may pass it on
  --who --where --do --issuer   what a life message must say and its text, or the organisation's settings, do not
  --again          it is meant, though the same text went to some of these people just now
  --despite-rejected  it is meant, though rows of an import were not taken

Options everywhere:
  --api URL, --key KEY   else MUSTER_API and MUSTER_KEY, else the installation in MUSTER_DATA (npm run up)
  --json                 print the API's own JSON
  --help

Exit codes: 0 done, 1 refused by the API, 2 wrong usage, 69 nobody answers, 78 address or key missing.
`;

const VERBS: Record<string, Command> = { import: importPeople, preview, send, watch, stop, release, correct, 'all-clear': allClear, export: exportList, list };

const text = { type: 'string' } as const;
const many = { type: 'string', multiple: true } as const;
const yes = { type: 'boolean' } as const;
const OPTIONS = {
  api: text,
  key: text,
  json: yes,
  help: { type: 'boolean', short: 'h' },
  text: many,
  to: many,
  answer: many,
  counts: many,
  audience: text,
  class: text,
  channels: text,
  locale: text,
  title: text,
  file: text,
  expires: text,
  start: text,
  drill: yes,
  share: yes,
  who: text,
  where: text,
  do: text,
  issuer: text,
  yes,
  draft: yes,
  watch: yes,
  follow: yes,
  format: text,
  output: text,
  state: text,
  limit: text,
  cursor: text,
  all: yes,
  again: yes,
  acknowledge: text,
  'despite-rejected': yes,
  installation: yes,
  channel: text,
} as const;

/** Runs one command line. @returns the exit code */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    const { values, positionals } = read(argv);
    const [verb, ...words] = positionals;
    if (values['help'] === true || verb === 'help') {
      io.out(HELP);
      return EXIT.ok;
    }
    if (verb === undefined) throw new UsageError('say what to do; --help lists the verbs');
    const command = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
    if (!command) throw new UsageError(`${verb}: no such verb; there are ${Object.keys(VERBS).join(', ')}`);
    const config = readCliConfig(io.env, {
      api: typeof values['api'] === 'string' ? values['api'] : undefined,
      key: typeof values['key'] === 'string' ? values['key'] : undefined,
    });
    await command({ api: openApi(config), io, words, flags: values });
    return EXIT.ok;
  } catch (error) {
    return explain(error, io);
  }
}

function read(argv: readonly string[]): { values: Flags; positionals: string[] } {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

/** The API's fields as the flags that give them, by the first word of the field or the whole of it. */
const FLAGS: Readonly<Record<string, string>> = {
  audience: '--to',
  answers: '--answer',
  channels: '--channels',
  class: '--class',
  expiresAt: '--expires',
  says: '--who, --where, --do, --issuer',
  'says.instruction': '--do',
  'says.issuer': '--issuer',
  'says.where': '--where',
  'says.who': '--who',
  startAt: '--start',
  text: '--text',
  title: '--title',
};

/** A message may come from a file, so the field's own name stays in sight. */
function flagOf(field: string): string {
  const known = FLAGS[field.split('.', 2).join('.')] ?? FLAGS[field.split('.', 1)[0] ?? ''];
  return known === undefined ? field : `${known} (${field})`;
}

function explain(error: unknown, io: Io): number {
  if (error instanceof UsageError) {
    io.err(`muster: ${error.message}\n`);
    return EXIT.usage;
  }
  if (error instanceof ConfigError) {
    for (const problem of error.problems) io.err(`muster: ${problem}\n`);
    return EXIT.config;
  }
  if (error instanceof Refusal) {
    // Where the sentence only repeats the list of fields, the list alone is shown.
    const told = error.errors.length > 0 && error.errors.every(({ detail }) => error.message.includes(detail));
    io.err(`muster: ${told ? 'refused' : error.message} (${error.status} ${error.code})\n`);
    for (const { field, detail } of error.errors) io.err(`  ${flagOf(field)}: ${detail}\n`);
    return EXIT.refused;
  }
  if (error instanceof Unreachable) {
    io.err(`muster: ${error.message}\n`);
    return EXIT.unreachable;
  }
  throw error;
}
