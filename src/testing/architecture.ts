import { CHANNELS } from '#schemas/channel-facts.ts';

/** Rules of the house that lint cannot say, each as a pure function of one file, so that a test can seed its violation. */

export interface SourceFile {
  /** Path from the root of the checkout, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** A rule gives back one line for each violation. */
export type Rule = (file: SourceFile) => string[];

/** What each layer may import, by the `#name` of package.json's import map. The lint configuration says the same. */
const LAYERS: readonly { readonly path: RegExp; readonly may: readonly string[] }[] = [
  { path: /^schemas\//, may: [] },
  { path: /^src\/platform\//, may: ['schemas'] },
  { path: /^src\/domain\//, may: ['schemas'] },
  { path: /^src\/(render|channels|db|queue)\//, may: ['schemas', 'platform', 'domain'] },
  { path: /^src\/services\//, may: ['schemas', 'platform', 'domain', 'render', 'channels', 'db', 'queue'] },
  { path: /^src\/web\//, may: ['schemas', 'platform', 'domain', 'services'] },
  { path: /^src\/http\//, may: ['schemas', 'platform', 'domain', 'services', 'web'] },
  { path: /^src\/cli\//, may: ['schemas', 'platform'] },
  // The operator's command opens the database itself: it is meant for whoever runs the host, beside any API.
  { path: /^src\/organisations\//, may: ['schemas', 'platform', 'db', 'services'] },
  { path: /^src\/simulator\//, may: ['schemas', 'platform'] },
  // A lane has a database pool of its own, which the worker opens.
  { path: /^workers\//, may: ['schemas', 'platform', 'domain', 'services', 'queue', 'db'] },
];

/** Construction: these few files put the parts together and may import every part. */
const CONSTRUCTION =
  /^(src\/(main|up|migrate|migrate-main|organisations-main|runtime|setup)|src\/up\/[^/]+|workers\/(main|start)|src\/simulator\/main)\.(ts|mjs)$/;

/**
 * The rooms of a layer (one capability each), and which other rooms of the same layer each may import. Files at the root of
 * a layer may be imported by all of its rooms and import none of them, but for those of `entries`, which put the rooms
 * together. The table has no circle, which a test holds.
 */
interface Rooms {
  readonly folder: string;
  readonly entries?: RegExp;
  readonly may: Readonly<Record<string, readonly string[]>>;
}

export const ROOMS: readonly Rooms[] = [
  {
    folder: 'src/services',
    may: {
      access: [],
      links: [],
      recipients: [],
      receipts: [],
      organisations: ['access'],
      imports: ['recipients'],
      answers: ['links'],
      spread: ['links', 'recipients'],
      inbound: ['answers', 'links', 'spread'],
      forecast: ['organisations'],
      planning: ['forecast', 'organisations'],
      delivery: ['forecast', 'planning'],
      messages: ['delivery', 'forecast', 'imports', 'organisations', 'planning'],
      cap: ['messages'],
      upkeep: ['delivery', 'messages'],
    },
  },
  { folder: 'src/domain', may: { recipients: [], delivery: [], message: ['delivery'], inbound: ['message'], cap: ['message'] } },
  { folder: 'src/db', may: { server: [], audience: [], delivery: [] } },
  {
    folder: 'src/web/console',
    entries: /^src\/web\/console\/(console|sections|overview-page)\.ts$/,
    may: { shell: [], messages: ['shell'], recipients: ['messages', 'shell'], organisation: ['messages', 'shell'] },
  },
];

const isTest = (path: string): boolean => path.startsWith('src/testing/') || path.startsWith('load-tests/') || path.endsWith('.test.ts');

/** True for files that run in a browser, which has neither our clock nor our modules. */
const isBrowser = (path: string): boolean => path.startsWith('src/web/assets/');

/** The lines of a file without their comments, so that line numbers stay. */
const code = (text: string): string[] =>
  text
    .replace(/\/\*[\s\S]*?\*\//g, (block) => block.replace(/[^\n]/g, ' '))
    .split('\n')
    .map((line) => line.replace(/(^|\s)\/\/.*$/, ''));

const matches = (file: SourceFile, pattern: RegExp, why: string): string[] =>
  code(file.text).flatMap((line, i) => (pattern.test(line) ? [`${file.path}:${i + 1}: ${why}`] : []));

/** Every module specifier of a file: static, type-only, side-effect and dynamic imports, and re-exports. */
export function importsOf(text: string): string[] {
  const body = code(text).join('\n');
  return [
    ...body.matchAll(/(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g),
  ].map((m) => m[1] ?? m[2] ?? m[3] ?? '');
}

/** `http/routes` of both `#http/routes/x.ts` and `src/http/routes/x.ts`. */
const folderOf = (path: string): string =>
  path
    .replace(/^(#|src\/)/, '')
    .split('/')
    .slice(0, -1)
    .join('/');

export const layers: Rule = ({ path, text }) => {
  if (isTest(path) || CONSTRUCTION.test(path)) return [];
  const row = LAYERS.find((layer) => layer.path.test(path));
  const own = path.startsWith('src/') ? path.split('/')[1] : path.split('/')[0];
  return importsOf(text).flatMap((specifier) => {
    const layer = /^#([^/]+)\//.exec(specifier)?.[1];
    if (layer === undefined) return [];
    if (layer === own) return folderOf(specifier) === folderOf(path) ? [`${path}: inside a folder write ./file.ts, not ${specifier}`] : [];
    return row?.may.includes(layer)
      ? []
      : [`${path}: may not import ${specifier}; its row of LAYERS allows ${row?.may.join(', ') ?? 'nothing, since there is none'}`];
  });
};

/** Folder of `#services/answers/answer.ts` below `src/services`: `answers`; '' at the root of it, undefined elsewhere. */
const roomOf = (folder: string, path: string): string | undefined => {
  const full = path.startsWith('#') ? path.replace('#', 'src/') : path;
  return full.startsWith(`${folder}/`)
    ? full
        .slice(folder.length + 1)
        .split('/')
        .slice(0, -1)
        .join('/')
    : undefined;
};

export const rooms: Rule = ({ path, text }) =>
  isTest(path)
    ? []
    : ROOMS.flatMap(({ folder, entries, may }) => {
        const own = roomOf(folder, path);
        if (own === undefined || entries?.test(path)) return [];
        if (own !== '' && !(own in may)) return [`${path}: the folder ${folder}/${own} has no row in ROOMS (src/testing/architecture.ts)`];
        return importsOf(text).flatMap((specifier) => {
          const other = roomOf(folder, specifier);
          if (other === undefined || other === '' || other === own || may[own]?.includes(other)) return [];
          return own === ''
            ? [`${path}: imports the room ${other} (${specifier}); what stands at the root of ${folder} imports no room`]
            : [
                `${path}: may not import ${specifier}; the row ${own} of ${folder} allows ${may[own]?.join(', ') || 'no other room'}, and ${other} is missing there`,
              ];
        });
      });

/** Circles of a graph: rooms that import each other, whether directly or through others. @returns one of each, as a path */
export function circlesOf(graph: Readonly<Record<string, readonly string[]>>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (name: string, path: readonly string[]): void => {
    const at = path.indexOf(name);
    if (at >= 0) found.push([...path.slice(at), name].join(' -> '));
    else if (!done.has(name)) {
      for (const next of graph[name] ?? []) walk(next, [...path, name]);
      done.add(name);
    }
  };
  for (const name of Object.keys(graph)) walk(name, []);
  return found;
}

/** No folder of product code has more files than a person can keep in view; tests beside them do not count. */
export const FOLDER_MAX = 25;
export function crowdedFolders(paths: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const path of paths) {
    if (isTest(path) || !/^(src|workers|schemas)\//.test(path)) continue;
    const folder = path.slice(0, path.lastIndexOf('/'));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts].filter(([, n]) => n > FOLDER_MAX).map(([folder, n]) => `${folder}: ${n} files, more than ${FOLDER_MAX}; group them by capability`);
}

export const noParentImports: Rule = ({ path, text }) =>
  importsOf(text)
    .filter((specifier) => specifier.startsWith('../'))
    .map((specifier) => `${path}: write #layer/file.ts instead of ${specifier}`);

export const testsStayOutside: Rule = ({ path, text }) =>
  isTest(path)
    ? []
    : importsOf(text)
        .filter((specifier) => specifier.startsWith('#testing/') || specifier === 'vitest')
        .map((specifier) => `${path}: product code imports ${specifier}`);

/** Libraries and the folders that own them; tests and the first start (keys, demo people) may use any. */
const OWNED: readonly { readonly library: RegExp; readonly in: RegExp }[] = [
  { library: /^(kysely|pg-copy-streams|pg-cursor)(\/|$)/, in: /^(src\/db|src\/services|schemas)\// },
  // The queue needs one connection to create BullMQ's own tables.
  { library: /^pg(\/|$)/, in: /^src\/(db|queue)\// },
  { library: /^(bullmq|ioredis)(\/|$)/, in: /^src\/queue\// },
  { library: /^(twilio|nodemailer|web-push|smtp-server|mailparser)(\/|$)/, in: /^src\/(channels|simulator)\// },
  { library: /^(hono|@hono\/.*)$/, in: /^(src\/(http|web|simulator)\/|src\/main\.ts)/ },
];

export const librariesStayHome: Rule = ({ path, text }) =>
  isTest(path) || path.startsWith('src/up/')
    ? []
    : importsOf(text).flatMap((specifier) =>
        OWNED.some((owned) => owned.library.test(specifier.replace(/^hono\/.*/, 'hono')) && !owned.in.test(path))
          ? [`${path}: ${specifier} belongs to another folder`]
          : [],
      );

/** Packages that product code may import are those installed in production. */
export const dependenciesOf =
  (dependencies: readonly string[]): Rule =>
  ({ path, text }) =>
    isTest(path) || isBrowser(path)
      ? []
      : importsOf(text)
          .filter((specifier) => /^[@a-z]/.test(specifier) && !specifier.startsWith('node:'))
          .map((specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'))
          .filter((name) => !dependencies.includes(name))
          .map((name) => `${path}: ${name} is not among the dependencies of package.json`);

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

/** Other parts that may know one channel's code, each with its reason. */
const KNOWS_PUSH: Readonly<Record<string, string>> = {
  'src/services/recipients/add-push-subscription.ts': "a browser's endpoint is checked before it is kept",
  'src/services/spread/join-by-push.ts': 'the same',
};

/** A channel's folder is loaded by its name (src/channels/registry.ts): nobody else imports it, and no channel needs another. */
export const channelFolders: Rule = ({ path, text }) =>
  isTest(path) || path in KNOWS_PUSH
    ? []
    : importsOf(text).flatMap((specifier) => {
        const channel = CHANNELS.find(
          (one) => specifier.startsWith(`#channels/${one}/`) || (specifier.startsWith(`./${one}/`) && path.startsWith('src/channels/')),
        );
        return channel === undefined || path.startsWith(`src/channels/${channel}/`) ? [] : [`${path}: imports ${specifier}, which is the channel's own`];
      });

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

export const size: Rule = ({ path, text }) => {
  const lines = text.replace(/\n$/, '').split('\n').length;
  const limit = isTest(path) ? 500 : 300;
  return lines > limit ? [`${path}: ${lines} lines, more than ${limit}`] : [];
};

const LINE_MAX = 140;

/** No line of services and db is wider than 140 characters, since SQL is read a clause a line. */
export const lineLength: Rule = ({ path, text }) =>
  isTest(path) || !/^src\/(services|db)\//.test(path)
    ? []
    : text.split('\n').flatMap((line, i) => ([...line].length > LINE_MAX ? [`${path}:${i + 1}: ${[...line].length} characters, more than ${LINE_MAX}`] : []));

const indentOf = (line: string): number => line.length - line.trimStart().length;

/** The line ends with the beginning of a function's body, or with the arrow before it. */
const OPENS = /(?:\)(?:: .+)?|=>) \(?[{[]$|=>(?: \()?$/;
const CONTROL = /^\s*(?:\} )?(?:else )?(?:if|for|while|switch|catch|with)\b/;

/** First and last line of every function of several lines, counted from 0. It relies on the formatter's indentation. */
export function functionsOf(text: string): { from: number; to: number }[] {
  const lines = code(text);
  return lines.flatMap((line, i) => {
    if (!OPENS.test(line) || CONTROL.test(line)) return [];
    const indent = indentOf(line);
    const same = (other: string): boolean => other.trim() !== '' && indentOf(other) === indent;
    // A list of parameters over several lines begins above the line that closes it.
    const from = line.trimStart().startsWith(')') ? lines.findLastIndex((other, at) => at < i && same(other)) : i;
    if (line.endsWith('=>')) {
      const next = lines.findIndex((other, at) => at > i && other.trim() !== '' && indentOf(other) <= indent);
      return [{ from, to: (next < 0 ? lines.length : next) - 1 }];
    }
    const to = lines.findIndex((other, at) => at > i && same(other) && /^\s*[}\])]/.test(other));
    return to < 0 ? [] : [{ from, to }];
  });
}

const FUNCTION_MAX = 60;

/**
 * A function has at most 60 lines, other than the wrapper of a browser's script. A longer one has a comment directly above it
 * with a sentence that begins with "One function" and gives the reason, such as "One function, since its steps share a lock.".
 */
export const functionLength: Rule = ({ path, text }) => {
  if (isTest(path) || isBrowser(path) || !/^(src|workers|schemas)\//.test(path)) return [];
  const above = text.split('\n');
  return functionsOf(text).flatMap(({ from, to }) => {
    const n = to - from + 1;
    if (n <= FUNCTION_MAX || /(?:^|[.!?]\s+)One function\b[^.]{10,}\./.test(commentAbove(above, from))) return [];
    return [`${path}:${from + 1}: a function of ${n} lines, more than ${FUNCTION_MAX}; split it, or say above it "One function, since …"`];
  });
};

const isComment = (line: string): boolean => /^\s*(?:\/\/|\/\*|\*)/.test(line);
const plain = (lines: readonly string[]): string =>
  lines
    .map((line) => line.replace(/^\s*(?:\/\/|\/\*+|\*(?!\/))?\s?/, '').replace(/\*\/\s*$/, ''))
    .join(' ')
    .replace(/\s+/g, ' ')
    .trim();

function commentAbove(lines: readonly string[], at: number): string {
  let from = at;
  while (from > 0 && isComment(lines[from - 1] ?? '')) from -= 1;
  return plain(lines.slice(from, at));
}

/** Comments that have lines of their own, each as one text, with the line where it begins, counted from 1. */
export function commentsOf(text: string): { line: number; text: string }[] {
  const lines = text.split('\n');
  const found: { line: number; text: string }[] = [];
  for (let i = 0; i < lines.length; i++) {
    const from = i;
    if (/^\s*\/\*/.test(lines[i] ?? '')) while (i < lines.length && !lines[i]?.includes('*/')) i += 1;
    else if (/^\s*\/\//.test(lines[i] ?? '')) while (/^\s*\/\//.test(lines[i + 1] ?? '')) i += 1;
    else continue;
    found.push({ line: from + 1, text: plain(lines.slice(from, i + 1)) });
  }
  return found;
}

/** Matches what looks like a verb, and much that is no verb, so that no sentence is taken for a fragment. */
const PERHAPS_VERB = /\b(?:is|are|was|were|be|been|has|have|had|do|did|may|might|must|can|could|cannot|will|would|should|\w+(?<!s)s|\w+ed)\b/;

/**
 * Comments are sentences with a subject. The rule holds what can be held without false alarms: no comment begins with "Of …",
 * one that begins with another preposition has something like a verb before its first stop, and people are "they".
 */
export const comments: Rule = ({ path, text }) =>
  isTest(path) || !/^(src|workers|schemas)\//.test(path)
    ? []
    : commentsOf(text).flatMap(({ line, text: words }) => {
        const [first = ''] = words.split(/[.:;]/);
        const fragment = /^(?:For|Behind|Among|Beside|Per|By|From) [a-z]/.test(words) && !PERHAPS_VERB.test(first);
        return [
          ...(/^Of [a-z]/.test(words) || fragment ? [`${path}:${line}: a fragment; give it a subject: ${words.slice(0, 60)}`] : []),
          ...(/\b(?:he|him|his|himself)\b/i.test(words) ? [`${path}:${line}: people are "they": ${words.slice(0, 60)}`] : []),
        ];
      });

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
