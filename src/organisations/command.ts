import { parseArgs } from 'node:util';
import { openDatabase } from '#db/database.ts';
import { ConfigError, readUpConfig } from '#platform/config.ts';
import { Problem } from '#platform/errors.ts';
import { createLog } from '#platform/log.ts';
import { dataFolderOf, readEmbeddedDatabase } from '#platform/ready.ts';
import { CHANNELS } from '#schemas/channel-facts.ts';
import { type OrganisationsIo, UsageError, type Values, type Verb } from './io.ts';
import { VERBS } from './verbs.ts';

/** 69, 77 and 78 as in sysexits.h. */
const EXIT = { ok: 0, refused: 1, usage: 2, unreachable: 69, rights: 77, config: 78 } as const;

const HELP = `muster organisations: who is on this installation, for whoever runs it

Usage: npm run organisations -- <verb> [options]        (in the image: node src/organisations-main.ts <verb> …)

  create --name NAME --admin-email ADDRESS   an organisation with its first administrator and API key, which is shown once
         [--admin-name NAME] [--time-zone Europe/London] [--locale en] [--country US]
         [--operator]           the administrator may stop and release the whole installation
         [--password-stdin]     the password is the first line of standard input; else it is asked for, twice
  list                          every organisation, with its operators
  operator --email ADDRESS      this person may stop and release the whole installation   [--revoke] no longer
  people --organisation WHICH   who signs in to its console, disabled people too
  person --organisation WHICH --email ADDRESS --name NAME --role ROLE   adds one; the password as with create
         [--password-stdin]     ROLE: admin (everything within it), coordinator (writes, sends, approves), viewer (reads)
  password --email ADDRESS      a new password, as with create; ends this person's sessions   [--password-stdin]
  disable --email ADDRESS       this person signs in no longer: ends the sessions, and the API keys stop
  enable --email ADDRESS        and again; the API keys work again, too
  senders --organisation WHICH  what its messages leave from
  sender --organisation WHICH --channel ${CHANNELS.join('|')} --name NAME [--address ADDRESS]   adds one
         [--classes life,ops,bulk] [--rate N] [--account N] [--drill] [--simulated]
  rate --organisation WHICH --sender ID-OR-NAME --rate N|none   changes how fast a sender may be used

  WHICH is an id or a name. N is SMS segments, else messages, a second; none: as fast as the provider takes it.
  --simulated: the provider behind it is the simulator. --drill: drills leave from it, and nothing else.
  --json prints JSON. --help prints this.

Needs DATABASE_URL alone: the user of the API and workers will do, as will the owner of the database (who ran the migrations).
Without it, it works on the embedded database that npm run up runs in MUSTER_DATA (default: ./.muster), and says so.

Exit codes: 0 done, 1 refused, 2 wrong usage, 69 no database there, 77 its user may not do this, 78 DATABASE_URL is wrong or not migrated.
`;

const COMMON = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;

/** Runs one command line. @returns the exit code */
export async function runOrganisations(argv: readonly string[], io: OrganisationsIo): Promise<number> {
  try {
    const [word, ...rest] = argv;
    if (argv.some((one) => one === '--help' || one === '-h') || word === 'help') {
      io.out(HELP);
      return EXIT.ok;
    }
    const verb = word !== undefined && Object.hasOwn(VERBS, word) ? VERBS[word] : undefined;
    if (!verb)
      throw new UsageError(`${word === undefined ? 'say what to do' : `${word}: no such verb`}; there are ${Object.keys(VERBS).join(', ')}, and --help`);
    await perform(verb, readValues(verb, rest), io);
    return EXIT.ok;
  } catch (error) {
    return explain(error, io);
  }
}

function readValues(verb: Verb, argv: string[]): Values {
  try {
    const { values } = parseArgs({ args: argv, options: { ...verb.options, ...COMMON }, strict: true });
    const read: Values = values;
    for (const name of verb.needs) if (read[name] === undefined) throw new UsageError(`--${name} is missing`);
    return read;
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message, { cause: error });
  }
}

async function perform(verb: Verb, values: Values, io: OrganisationsIo): Promise<void> {
  const databaseUrl = readUpConfig(io.env).databaseUrl ?? besideUp(io);
  // Standard output is the answer's; what goes wrong is told in words.
  const db = openDatabase({ url: databaseUrl, role: 'muster_api', max: 1, name: 'muster-organisations', log: createLog('organisations', 'silent') });
  try {
    await verb.run({ db, io, values, print: (json, lines) => io.out(values['json'] === true ? `${JSON.stringify(json, null, 2)}\n` : lines) });
  } finally {
    await db.close();
  }
}

/** Says it aloud: whoever forgot DATABASE_URL must see that it is another installation. */
function besideUp(io: OrganisationsIo): string {
  const folder = dataFolderOf(io.env);
  const url = readEmbeddedDatabase(io.env);
  if (url === undefined)
    throw new ConfigError([`DATABASE_URL: is required, and no embedded database of npm run up is in ${folder} (MUSTER_DATA) to use without it`]);
  io.err(`organisations: on the installation of npm run up in ${folder}\n`);
  return url;
}

/** What PostgreSQL and the network say, by code: the exit code, and what to do. */
const DATABASE: Readonly<Record<string, readonly [number, string]>> = {
  // insufficient_privilege: also at the door, where the user may not become muster_api
  '42501': [EXIT.rights, 'this user may not act as muster_api. Use the DATABASE_URL of the API and workers (IN ROLE muster_api), or the owner of the database'],
  // invalid_parameter_value: role "muster_api" does not exist
  '22023': [EXIT.config, 'this database has no Muster in it: run npm run migrate first'],
  '42P01': [EXIT.config, 'this database has no Muster in it: run npm run migrate first'],
  '42883': [EXIT.config, 'this database has no Muster in it, or one of an older version: run npm run migrate first'],
  '3D000': [EXIT.config, 'there is no such database'],
  '28P01': [EXIT.config, 'the database refused the user or the password'],
  '28000': [EXIT.config, 'the database refused the user'],
  '53300': [EXIT.unreachable, 'the database has no connection left'],
  '57P03': [EXIT.unreachable, 'the database is starting or ending; try again'],
  EHOSTUNREACH: [EXIT.unreachable, 'nobody answers there'],
  ECONNREFUSED: [EXIT.unreachable, 'nobody answers there'],
  ENOTFOUND: [EXIT.unreachable, 'there is no such host'],
  ETIMEDOUT: [EXIT.unreachable, 'nobody answers there'],
};

/** `adminEmail` as the flag that gave it. */
const flagOf = (field: string): string => (field === 'password' ? 'password' : `--${field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);

function explain(error: unknown, io: OrganisationsIo): number {
  const say = (line: string, code: number): number => {
    io.err(`organisations: ${line}\n`);
    return code;
  };
  if (error instanceof UsageError) return say(error.message, EXIT.usage);
  if (error instanceof ConfigError) return say(error.problems.join('; '), EXIT.config);
  if (error instanceof Problem) {
    say(error.message, EXIT.refused);
    for (const { field, detail } of error.errors) io.err(`  ${flagOf(field)}: ${detail}\n`);
    return EXIT.refused;
  }
  const known = DATABASE[(error as { code?: string }).code ?? ''];
  if (!known) return say((error as Error).message, EXIT.refused);
  if (!io.env['DATABASE_URL'] && known[0] === EXIT.unreachable)
    return say('the installation of npm run up does not run: start it, or give DATABASE_URL', known[0]);
  return say(`DATABASE_URL: ${known[1]}`, known[0]);
}
