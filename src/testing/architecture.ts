import { CHANNELS } from '#schemas/channel-facts.ts';
import { importsOf, isBrowser, isTest, type Rule } from './architecture-source.ts';

/**
 * Rules of the house that lint cannot say, each as a pure function of one file, so that a test can seed its violation. Here are
 * those over imports and folders; architecture-words.ts and architecture-prose.ts have the others.
 */

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
