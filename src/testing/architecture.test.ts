import { existsSync, readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { CHANNELS } from '#schemas/delivery.ts';
import * as imports from './architecture.ts';
import * as prose from './architecture-prose.ts';
import type { Rule, SourceFile } from './architecture-source.ts';
import * as words from './architecture-words.ts';

const skip = (path: string): boolean => /(^|\/)(node_modules|\.muster|\.git|results|vendor)(\/|$)/.test(path);

async function read(...patterns: string[]): Promise<SourceFile[]> {
  const paths: string[] = [];
  for await (const path of glob(patterns, { exclude: skip })) if (!skip(path)) paths.push(path);
  return paths.sort().map((path) => ({ path: path.replaceAll('\\', '/'), text: readFileSync(path, 'utf8') }));
}

const sources = await read('{src,workers,schemas,load-tests}/**/*.{ts,mjs,js}');
const everything = [
  ...sources,
  ...(await read(
    '*.{json,md}',
    '.*.json',
    '.npmrc',
    '.config/*',
    '.ci/*',
    '{docs,deploy}/**/*.*',
    'deploy/Dockerfile',
    'schemas/**/*.sql',
    'src/**/*.{css,html}',
  )),
];

/** Each rule has seeded violations that it must catch and near misses that it must let pass. */
const TABLE: { rule: Rule; name: string; bad: SourceFile[]; good: SourceFile[] }[] = [
  {
    rule: imports.layers,
    name: 'layers import downwards only',
    bad: [
      { path: 'src/domain/x.ts', text: `import { a } from '#platform/clock.ts';` },
      { path: 'src/channels/sms/x.ts', text: `import type { A } from '#db/database.ts';` },
      { path: 'src/services/x.ts', text: `export { a } from '#http/app.ts';` },
      { path: 'src/simulator/x.ts', text: `const a = await import('#services/context.ts');` },
      { path: 'workers/deliver.ts', text: `import {\n  a,\n  b,\n} from '#http/app.ts';` },
      { path: 'src/services/y.ts', text: `import { a } from '#services/context.ts';` },
      { path: 'src/organisations/x.ts', text: `import { a } from '#http/app.ts';` },
      { path: 'src/new-entry.ts', text: `import { a } from '#http/app.ts';` },
    ],
    good: [
      { path: 'src/http/routes/x.ts', text: `import { a } from '#http/env.ts';` },
      { path: 'src/services/x.ts', text: `import { a } from '#db/database.ts';\nimport b from './context.ts';` },
      { path: 'src/main.ts', text: `import { a } from '#queue/queues.ts';` },
      { path: 'src/domain/x.test.ts', text: `import { a } from '#testing/deps.ts';` },
    ],
  },
  {
    rule: imports.rooms,
    name: 'rooms import the rooms of their row only',
    bad: [
      { path: 'src/services/answers/x.ts', text: `import { a } from '#services/messages/create-message.ts';` },
      { path: 'src/services/answers/x.ts', text: `import type { A } from '#services/messages/create-message.ts';` },
      { path: 'src/services/x.ts', text: `import { a } from '#services/answers/answer.ts';` },
      { path: 'src/services/new-room/x.ts', text: `import { a } from './y.ts';` },
      { path: 'src/services/answers/deep/x.ts', text: `import { a } from './y.ts';` },
      { path: 'src/domain/delivery/x.ts', text: `import { a } from '#domain/message/plan.ts';` },
      { path: 'src/db/audience/x.ts', text: `import { a } from '#db/delivery/pace.ts';` },
      { path: 'src/web/console/shell/x.ts', text: `import { a } from '#web/console/messages/board-view.ts';` },
    ],
    good: [
      { path: 'src/services/answers/x.ts', text: `import { a } from '#services/links/public-message.ts';\nimport { b } from '#services/context.ts';` },
      { path: 'src/services/answers/x.test.ts', text: `import { a } from '#services/messages/create-message.ts';` },
      { path: 'src/web/console/console.ts', text: `import { a } from '#web/console/messages/list-pages.ts';` },
      { path: 'src/http/routes/x.ts', text: `import { a } from '#services/messages/create-message.ts';` },
    ],
  },
  {
    rule: imports.noParentImports,
    name: 'no import climbs to a parent folder',
    bad: [{ path: 'src/services/x.ts', text: `import { a } from '../db/database.ts';` }],
    good: [{ path: 'src/db/x.ts', text: `const a = new URL('../../schemas/', import.meta.url);` }],
  },
  {
    rule: imports.testsStayOutside,
    name: 'product code imports no test code',
    bad: [{ path: 'src/up.ts', text: `import { a } from '#testing/deps.ts';` }],
    good: [{ path: 'src/up.test.ts', text: `import { a } from '#testing/deps.ts';` }],
  },
  {
    rule: imports.librariesStayHome,
    name: 'libraries stay in the folder that owns them',
    bad: [
      { path: 'src/http/x.ts', text: `import { sql } from 'kysely';` },
      { path: 'src/services/x.ts', text: `import { Queue } from 'bullmq';` },
      { path: 'src/services/y.ts', text: `import { html } from 'hono/html';` },
      { path: 'src/render/x.ts', text: `import nodemailer from 'nodemailer';` },
    ],
    good: [
      { path: 'src/services/x.ts', text: `import { sql } from 'kysely';` },
      { path: 'src/web/x.ts', text: `import { html } from 'hono/html';` },
    ],
  },
  {
    rule: imports.dependenciesOf(Object.keys((JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: object }).dependencies)),
    name: 'product code imports production dependencies alone',
    bad: [
      { path: 'src/up.ts', text: `import { chromium } from 'playwright-core';` },
      { path: 'src/http/x.ts', text: `import { x } from '@twilio/cli-core/lib';` },
    ],
    good: [
      {
        path: 'src/http/x.ts',
        text: `import { html } from 'hono/html';\nimport { readFile } from 'node:fs/promises';\nimport { OpenAPIHono } from '@hono/zod-openapi';`,
      },
      { path: 'src/http/x.test.ts', text: `import { chromium } from 'playwright-core';` },
    ],
  },
  {
    rule: words.environment,
    name: 'only config.ts reads the environment',
    bad: [
      { path: 'src/main.ts', text: `const port = process.env.PORT;` },
      { path: 'workers/main.ts', text: `const port = process['env'].PORT;` },
      { path: 'src/http/x.ts', text: `import { env } from 'node:process';` },
    ],
    good: [{ path: 'src/main.ts', text: `// process.env is read by config alone\nconst env = processEnvironment();` }],
  },
  {
    rule: words.time,
    name: 'only clock.ts reads time',
    bad: [
      { path: 'src/services/x.ts', text: `const at = Date.now();` },
      { path: 'src/services/x.ts', text: `const at = new Date();` },
      { path: 'src/http/x.ts', text: `const at = performance.now();` },
    ],
    good: [
      { path: 'src/services/x.ts', text: `const at = new Date(ctx.clock.now());` },
      { path: 'src/web/assets/board.js', text: `const at = Date.now();` },
    ],
  },
  {
    rule: words.sqlStaysHome,
    name: 'SQL is written in src/db and src/services',
    bad: [
      { path: 'src/http/x.ts', text: 'await sql<{ n: number }>`SELECT 1`.execute(db);' },
      { path: 'workers/x.ts', text: `await client.query('DELETE FROM waves');` },
    ],
    good: [
      { path: 'src/services/x.ts', text: 'await sql`SELECT 1`.execute(db);' },
      { path: 'src/web/x.ts', text: `html\`<select name="from">\`` },
    ],
  },
  {
    rule: words.jobNames,
    name: 'job names live in schemas/jobs.ts',
    bad: [
      { path: 'src/services/x.ts', text: `const lane = 'deliver-life';` },
      { path: 'src/queue/x.ts', text: 'const name = `deliver-${lane}`;' },
    ],
    good: [{ path: 'workers/main.ts', text: `consume({ 'deliver-life': handle });` }],
  },
  {
    rule: words.channelNames,
    name: 'no channel is named outside its folder and its facts',
    bad: [
      { path: 'src/db/x.ts', text: `const column = channel === 'sms' ? 'phone' : 'email';` },
      { path: 'src/services/x.ts', text: `if (batch.channel !== "email") return;` },
      { path: 'src/web/x.ts', text: `const NAMES = { push: 'Push' };` },
      { path: 'workers/x.ts', text: `const NAMES = {\n  sms: 'SMS',\n};` },
      { path: 'src/services/y.ts', text: "await sql`SELECT 1 FROM senders WHERE channel = 'sms'`.execute(tx);" },
      { path: 'src/cli/x.ts', text: `io.out(String(view.channels.sms));` },
      { path: 'src/up/install.ts', text: `const by: { channel: 'email' } = found;` },
      { path: 'src/services/z.ts', text: 'if (!/^(push|sms|email)$/.test(word)) return;' },
    ],
    good: [
      { path: 'src/services/x.ts', text: `// Of 'sms' alone.\nconst email = row['email']; ids.push(id); const sms = 1;` },
      { path: 'src/services/y.ts', text: `const emails = all('email');` },
      { path: 'src/channels/sms/channel.ts', text: `const base = { channel: 'sms' };` },
      { path: 'src/up/demo.ts', text: `const senders = [{ channel: 'sms' }];` },
      { path: 'src/db/x.db.test.ts', text: `const channel = 'sms';` },
    ],
  },
  {
    rule: words.providerNames,
    name: 'services, routes and pages know no provider',
    bad: [
      { path: 'src/http/routes/x.ts', text: `const signature = c.req.header('x-twilio-signature');` },
      { path: 'src/services/x.ts', text: `/** As Twilio has it. */` },
      { path: 'src/web/x.ts', text: `const SMTP_CODES = {};` },
    ],
    good: [
      { path: 'src/channels/sms/twilio/x.ts', text: `const signature = header('x-twilio-signature');` },
      { path: 'src/services/x.ts', text: `/** The session's classes. */\nconst assesses = 1;` },
      { path: 'src/http/x.db.test.ts', text: `import twilio from 'twilio';` },
    ],
  },
  {
    rule: imports.channelFolders,
    name: "a channel's folder is its own",
    bad: [
      { path: 'src/main.ts', text: `import { a } from '#channels/email/bounce-intake.ts';` },
      { path: 'src/channels/sms/x.ts', text: `import { a } from '#channels/push/codes.ts';` },
      { path: 'src/channels/registry.ts', text: `import { a } from './email/adapter.ts';` },
      { path: 'src/services/x.ts', text: `const a = await import('#channels/push/endpoint.ts');` },
    ],
    good: [
      { path: 'src/channels/sms/channel.ts', text: `import { a } from '#channels/sms/twilio/hooks.ts';\nimport { b } from '#channels/http/pool.ts';` },
      { path: 'src/main.ts', text: `import { a } from '#channels/registry.ts';` },
      { path: 'src/testing/x.ts', text: `import { a } from '#channels/push/endpoint.ts';` },
    ],
  },
  {
    rule: prose.size,
    name: 'no file is longer than 300 lines, no test longer than 500',
    bad: [
      { path: 'src/services/x.ts', text: 'a\n'.repeat(301) },
      { path: 'src/services/x.test.ts', text: 'a\n'.repeat(501) },
    ],
    good: [
      { path: 'src/services/x.ts', text: 'a\n'.repeat(300) },
      { path: 'src/services/x.test.ts', text: 'a\n'.repeat(500) },
    ],
  },
  {
    rule: prose.lineLength,
    name: 'no line of services and db is wider than 140 characters',
    bad: [
      { path: 'src/services/x.ts', text: `// ${'a'.repeat(138)}` },
      { path: 'src/db/x.ts', text: `ok\n${'a'.repeat(141)}` },
    ],
    good: [
      { path: 'src/services/x.ts', text: `// ${'a'.repeat(137)}\n${'\u{1F600}'.repeat(140)}` },
      { path: 'src/db/x.test.ts', text: 'a'.repeat(141) },
      { path: 'src/http/x.ts', text: 'a'.repeat(141) },
    ],
  },
  {
    rule: prose.functionLength,
    name: 'no function is longer than 60 lines without a reason',
    bad: [
      { path: 'src/services/x.ts', text: `export function f(a: number): void {\n${'  a;\n'.repeat(59)}}\n` },
      { path: 'src/services/x.ts', text: `const f = (\n  a: A,\n): void => {\n${'  a;\n'.repeat(57)}};\n` },
      { path: 'src/services/x.ts', text: `class A {\n  async m(): Promise<void> {\n${'    a;\n'.repeat(59)}  }\n}\n` },
      { path: 'src/services/x.ts', text: `const f = (a: A) =>\n${'  a +\n'.repeat(60)}  a;\n` },
      { path: 'src/services/x.ts', text: `/** It does one function after another. */\nfunction f() {\n\`\na\`;\n${'  a;\n'.repeat(57)}}\n` },
    ],
    good: [
      { path: 'src/services/x.ts', text: `function f(): void {\n${'  a;\n'.repeat(58)}}\nfunction g(): void {\n${'  a;\n'.repeat(58)}}\n` },
      { path: 'src/services/x.ts', text: `if (a) {\n${'  a;\n'.repeat(70)}}\nconst x = {\n${'  a,\n'.repeat(70)}};\n` },
      { path: 'src/services/x.ts', text: `/**\n * Does it. One function, since\n * its steps share a lock.\n */\nfunction f() {\n${'  a;\n'.repeat(70)}}\n` },
    ],
  },
  {
    rule: prose.comments,
    name: 'comments are sentences, and people are they',
    bad: [
      { path: 'src/http/x.ts', text: `/** Of transactions that are one packet. */\nconst a = 1;` },
      { path: 'workers/x.ts', text: `  // By character code.` },
      { path: 'src/http/x.ts', text: `/**\n * Beside the notification: a connection can be dead.\n */` },
      { path: 'src/http/x.ts', text: `// The address that the person\n// proved to be his own.` },
    ],
    good: [
      {
        path: 'src/http/x.ts',
        text: `// Of 3,993 bytes the rest is for the title.\n/** By then the first one was sent. */\n/** For each person one call goes out. */`,
      },
      { path: 'src/http/x.ts', text: `const a = 'Of transactions';\nconst b = '**/*.ts of him';\n/** This has what she sees in history. */` },
      { path: 'src/http/x.test.ts', text: `// Of transactions that are one packet.` },
    ],
  },
];

test.each(TABLE)('$name', ({ rule, bad, good }) => {
  for (const file of bad) expect(rule(file), `must be caught: ${file.text.slice(0, 80)}`).not.toEqual([]);
  for (const file of good) expect(rule(file), `must pass: ${file.text.slice(0, 80)}`).toEqual([]);
  expect(sources.length).toBeGreaterThan(30);
  expect(sources.filter((file) => !file.path.startsWith('src/testing/architecture')).flatMap(rule)).toEqual([]);
});

test('no room imports itself through others, and each row is of a folder that exists', () => {
  expect(imports.circlesOf({ a: ['b'], b: ['c'], c: ['a'], d: ['a'] })).toEqual(['a -> b -> c -> a']);
  for (const { folder, may } of imports.ROOMS) {
    expect(imports.circlesOf(may), folder).toEqual([]);
    const named = [...Object.keys(may), ...Object.values(may).flat()];
    expect(named.filter((room) => !existsSync(`${folder}/${room}`))).toEqual([]);
    // A permission that nothing uses would be used one day without a thought.
    const unused = Object.entries(may).flatMap(([room, others]) => {
      const texts = sources.filter(({ path }) => path.startsWith(`${folder}/${room}/`) && !path.endsWith('.test.ts')).map(({ text }) => text);
      return others
        .filter((other) => !texts.some((text) => text.includes(`'#${folder.slice(4)}/${other}/`)))
        .map((other) => `${folder}: ${room} never imports ${other}`);
    });
    expect(unused).toEqual([]);
  }
});

test('no folder of product code is crowded', () => {
  const paths = (n: number) => Array.from({ length: n }, (_, i) => `src/services/x/${i}.ts`);
  expect(imports.crowdedFolders([...paths(imports.FOLDER_MAX), 'src/services/x/a.test.ts'])).toEqual([]);
  expect(imports.crowdedFolders(paths(imports.FOLDER_MAX + 1))).toHaveLength(1);
  expect(imports.crowdedFolders(sources.map((file) => file.path))).toEqual([]);
  expect(sources.filter(({ path }) => /^src\/services\/[^/]+\.ts$/.test(path) && !path.endsWith('.test.ts')).length).toBeLessThanOrEqual(12);
});

test('nothing mentions a registry host or a path of another machine', () => {
  expect(words.speaksOfItself({ path: 'x', text: 'see https://registry.npmjs' + '.org/x' })).toHaveLength(1);
  expect(everything.flatMap(words.speaksOfItself)).toEqual([]);
});

test('lint holds the same rows: every layer of the table has an override with restricted imports', () => {
  const config = JSON.parse(readFileSync('.oxlintrc.json', 'utf8')) as { overrides: { files: string[]; rules: Record<string, unknown> }[] };
  const held = config.overrides.filter((o) => 'no-restricted-imports' in o.rules).flatMap((o) => o.files);
  for (const folder of [
    'schemas',
    'src/platform',
    'src/domain',
    'src/render',
    'src/channels',
    'src/db',
    'src/queue',
    'src/services',
    'src/web',
    'src/http',
    'src/cli',
    'src/organisations',
    'src/simulator',
    'workers',
  ])
    expect(held).toContain(`${folder}/**`);
});

test('every channel has its folder with its contract, and every exception to their names is still needed', () => {
  const wanted = CHANNELS.flatMap((channel) => ['channel.ts', 'contract.test.ts'].map((name) => `src/channels/${channel}/${name}`));
  expect(wanted.filter((path) => !existsSync(path))).toEqual([]);
  const needed = Object.keys(words.ONE_CHANNEL).filter((path) => {
    const text = sources.find((file) => file.path === path)?.text ?? '';
    return words.channelNames({ path: 'src/services/x.ts', text }).length > 0;
  });
  expect(needed).toEqual(Object.keys(words.ONE_CHANNEL));
});

/** Paths in back quotes or links, and `npm run` commands, of a page. */
function named(text: string): { paths: string[]; scripts: string[] } {
  const quoted = [...text.matchAll(/`([^`\n]+)`/g)].map((m) => m[1] ?? '');
  const links = [...text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)].map((m) => m[1] ?? '');
  const paths = quoted.filter((word) => /^(src|workers|schemas|load-tests|deploy|docs|\.ci|\.config)(\/[\w.@-]+)*\/?$/.test(word) && word.includes('/'));
  const scripts = [...text.matchAll(/\bnpm run ([a-z][\w:-]*)/g)].map((m) => m[1] ?? '');
  return { paths: [...paths, ...links], scripts };
}

test('every path and npm script that the README and docs name exists', async () => {
  expect(named('see `src/none.ts`, [x](docs/none.md) and `npm run none`')).toEqual({ paths: ['src/none.ts', 'docs/none.md'], scripts: ['none'] });
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  const pages = await read('README.md', '{docs,deploy}/**/*.md');
  expect(pages.map((page) => page.path)).toContain('README.md');
  const missing = pages.flatMap((page) => {
    const found = named(page.text);
    const folder = page.path.split('/').slice(0, -1).join('/');
    return [
      ...found.paths.filter((path) => !existsSync(path) && !existsSync(`${folder || '.'}/${path}`)).map((path) => `${page.path}: ${path}`),
      ...found.scripts.filter((script) => !(script in scripts)).map((script) => `${page.path}: npm run ${script}`),
    ];
  });
  expect(missing).toEqual([]);
});
