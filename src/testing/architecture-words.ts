import { CHANNELS } from '#schemas/channel-facts.ts';
import { isBrowser, isTest, matches, type Rule } from './architecture-source.ts';

/** Rules over what may be written where: readers of time and of the environment, SQL, names of channels and providers. */

/** Files that read the environment besides config.ts, each with its reason. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  'src/platform/config.ts': 'the one reader',
  'src/setup.mjs': 'runs before anything is installed and hands the environment on',
};

export const environment: Rule = (file) =>
  file.path in ENVIRONMENT || isTest(file.path) || !/^(src|workers|schemas)\//.test(file.path) || isBrowser(file.path)
    ? []
    : matches(
        file,
        /\bprocess\s*(\.|\?\.|\[['"])\s*env\b|\bimport\s*\{[^}]*\benv\b[^}]*\}\s*from\s*['"]node:process/,
        'only src/platform/config.ts reads the environment',
      );

/** Files that read time besides clock.ts, each with its reason. */
const TIME: Readonly<Record<string, string>> = {
  'src/platform/clock.ts': 'the one reader',
  'src/setup.mjs': 'runs before anything is installed',
};

export const time: Rule = (file) =>
  file.path in TIME || isTest(file.path) || !/^(src|workers|schemas)\//.test(file.path) || isBrowser(file.path)
    ? []
    : matches(
        file,
        /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.now\b|\bprocess\.(hrtime|uptime)\b|\bimport\s*\{[^}]*\bperformance\b[^}]*\}/,
        'only src/platform/clock.ts reads time',
      );

/**
 * SQL text is written in src/db, in the verbs of src/services and in migrations; the first start makes its demo people in one
 * statement.
 */
export const sqlStaysHome: Rule = (file) =>
  isTest(file.path) || /^(src\/(db|services|queue|up)|schemas)\//.test(file.path) || isBrowser(file.path)
    ? []
    : matches(file, /\bsql(<[^>]*>)?`|['"`]\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\b/, 'SQL belongs in src/db or src/services');

/** Where channels have their names: their own folders, their facts, the simulated carriers and the people of the first start. */
const CHANNELS_HOME = /^(src\/(channels|simulator)\/|schemas\/channel-facts\.ts|src\/up\/demo\.ts)/;

/** Files about something that is truly one channel's, each with its reason. */
export const ONE_CHANNEL: Readonly<Record<string, string>> = {
  'src/platform/accounts.ts': 'each of these variables is short for an account of one channel',
  'src/services/spread/join-by-mail.ts': 'whoever types an address proves it by a link that is mailed there',
  'src/services/spread/join-by-push.ts': "a browser's permission is its proof",
  'src/services/spread/share-page.ts': "an sms: link opens the phone's own program for texts",
  'src/web/public/share-page.ts': 'the three ways to join, each with a form of its own',
  'src/web/public/service-worker.js': 'runs in a browser, which calls its own event push',
};

/**
 * These two count wherever they stand quoted, as a key or as a property. The others may also be columns and fields of forms,
 * as `email` is, so they count only on a line that speaks of a channel. A regular expression that lists any of them counts too.
 */
const UNMISTAKABLE = 'push|sms';
const ALL = CHANNELS.join('|');
const CHANNEL_NAMES = new RegExp(
  `(['"\`])(${UNMISTAKABLE})\\1|\\b(${ALL})\\|(${ALL})\\b|(^|[{,(])\\s*(${UNMISTAKABLE})\\s*\\??:|\\.(${UNMISTAKABLE})\\b(?!\\()|channel.*['"\`](${ALL})['"\`]`,
  'i',
);

/** What a channel can do is asked of its facts: a line that knows a channel by its name treats the next one wrongly. */
export const channelNames: Rule = (file) =>
  isTest(file.path) || CHANNELS_HOME.test(file.path) || file.path in ONE_CHANNEL || !/^(src|workers|schemas)\//.test(file.path)
    ? []
    : matches(file, CHANNEL_NAMES, 'ask schemas/channel-facts.ts what the channel can do, not what it is called');

/** Providers, their products and the protocols that only adapters speak. */
const PROVIDERS = /twilio|nodemailer|smtp|smpp|\bfcm\b|\bapns\b|\bses\b/i;

/** Whose carrier it is, is the business of its adapter alone; comments count too. */
export const providerNames: Rule = ({ path, text }) =>
  isTest(path) || !/^src\/(services|http|web)\//.test(path)
    ? []
    : text
        .split('\n')
        .flatMap((line, i) => (PROVIDERS.test(line) ? [`${path}:${i + 1}: no provider is named outside src/channels and the configuration`] : []));

/** Job names are typed where they are used as arguments; a free string outside the contract could not be renamed. */
export const jobNames: Rule = (file) =>
  isTest(file.path) || file.path === 'schemas/jobs.ts'
    ? []
    : matches(file, /(?<!nudge\()['"`]deliver-(life|ops|bulk)['"`](?!\s*:)|['"`]deliver-\$\{/, 'job names live in schemas/jobs.ts');

// The words are spelled in halves, so that this file itself names none of them.
const OUTSIDE = [
  'registry.npmjs' + '.org',
  'deb.debian' + '.org',
  'proxy.golang' + '.org',
  'pypi' + '.org',
  'crates' + '.io',
  '/work' + '/main',
  '/work' + '/shared',
  '/work' + '/.library',
  'issues' + ' show',
];

/** The project speaks of itself alone: no registry host, no path of the machine it was written on. */
export const speaksOfItself: Rule = ({ path, text }) => OUTSIDE.filter((word) => text.includes(word)).map((word) => `${path}: mentions ${word}`);
