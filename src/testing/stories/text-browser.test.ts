import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { serve } from '@hono/node-server';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { respondRoutes } from '#http/routes/respond.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { addMessage, addRecipients } from '#testing/people.ts';

const lynx = spawnSync('lynx', ['-version']).status === 0;

let deps: TestDeps;
let server: ReturnType<typeof serve>;
let folder: string;
let link: string;
let messageId: string;
let tenantId: number;
beforeAll(async () => {
  deps = await createTestDeps();
  ({ tenantId } = await deps.tenant({ name: 'Fell Rescue' }));
  messageId = await addMessage(deps, tenantId, {});
  const [person = ''] = await addRecipients(deps, tenantId, 1);
  server = await new Promise((done) => {
    const started = serve({ fetch: respondRoutes(deps).fetch, port: 0, hostname: '127.0.0.1' }, () => done(started));
  });
  link = `http://127.0.0.1:${(server.address() as AddressInfo).port}/r/${deps.tokens.seal('answer', { a: Number(messageId), b: Number(person), extra: 0 })}`;
  folder = mkdtempSync(join(tmpdir(), 'muster-lynx-'));
});
afterAll(async () => {
  server.close();
  await deps.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs without blocking the loop, since the server under test lives in it. */
const run = (args: string[]): Promise<string> =>
  new Promise((done) => {
    const child = spawn('lynx', args, { env: { PATH: process.env['PATH'], TERM: 'vt100', HOME: folder, LANG: 'C.UTF-8' } });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('exit', () => done(output));
  });

const answers = () => deps.db.withTenant(tenantId, (tx) => tx.selectFrom('answers').select(['key', 'way']).where('message_id', '=', messageId).execute());

test.skipIf(!lynx)('a text browser reads the message and answers by its button (skipped where lynx is not installed)', async () => {
  const page = await run(['-dump', '-nolist', link]);
  expect(page).toContain('Fell Rescue');
  expect(page).toContain('Yes, I come');
  expect(await answers()).toEqual([]);
  // The keys are those that a person presses: down to a button, enter, quit. The first button is a few presses down.
  const script = join(folder, 'keys');
  for (let downs = 0; downs < 8 && (await answers()).length === 0; downs++) {
    writeFileSync(script, `${'key Down Arrow\n'.repeat(downs)}key ^J\nkey q\nkey y\n`);
    await run([`-cmd_script=${script}`, '-accept_all_cookies', link]);
  }
  expect(await answers()).toMatchObject([{ key: 'yes', way: 'page' }]);
  expect(await run(['-dump', '-nolist', link])).toMatch(/answer/i);
});
