import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('..', import.meta.url));

// Tests that open sockets, start processes or wait for real time. They are kept out of `npm run verify`: it takes 20 s at most.
const LOOPBACK = [
  ...['src/channels', 'src/simulator', 'src/cli', 'src/queue'].map((folder) => `${folder}/**/*.test.ts`),
  'load-tests/lib/lib.test.ts',
  'src/platform/log.test.ts',
  'src/platform/secrets.test.ts',
  // It loads libxml2 as WebAssembly, and on a loaded machine V8 has aborted a worker that other files shared with it.
  'src/render/cap-xml.test.ts',
  'src/services/delivery/marked-ahead.test.ts',
  'src/services/spread/join-mailer.test.ts',
  'src/testing/ci.test.ts',
  'workers/courtesy.test.ts',
];
// What src/testing/fourth-channel/pager holds is a channel of another tree: the story of that name copies it there.
const NEVER = ['**/*.db.test.ts', 'src/testing/stories/**', 'src/testing/fourth-channel/pager/**', '**/node_modules/**'];

/**
 * unit: pure rules, no server; loopback: adapters and the simulator against real servers on loopback, and what starts
 * processes; db: real Postgres (and Redis where present); stories: the whole system and the browser.
 */
export default defineConfig({
  root,
  test: {
    projects: [
      {
        root,
        test: {
          name: 'unit',
          include: ['{src,workers,schemas,load-tests}/**/*.test.ts'],
          exclude: [...NEVER, ...LOOPBACK],
          // Pure rules leave nothing behind, so files share their workers: half the time of `npm run verify`.
          isolate: false,
          sequence: { groupOrder: 1 },
          testTimeout: 20_000,
        },
      },
      {
        root,
        test: {
          name: 'loopback',
          include: LOOPBACK,
          exclude: NEVER,
          testTimeout: 20_000,
        },
      },
      {
        root,
        test: {
          name: 'db',
          include: ['{src,workers,schemas}/**/*.db.test.ts'],
          exclude: ['src/testing/stories/**', '**/node_modules/**'],
          globalSetup: 'src/testing/global-setup.ts',
          testTimeout: 30_000,
          hookTimeout: 60_000,
          maxWorkers: 3,
        },
      },
      {
        root,
        test: {
          name: 'stories',
          include: ['src/testing/stories/**/*.test.ts'],
          globalSetup: 'src/testing/global-setup.ts',
          testTimeout: 120_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
        },
      },
    ],
  },
});
