import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createApp } from '#http/app.ts';
import { DATABASE_FILE } from '#platform/ready.ts';
import { getSettings } from '#services/organisations/get-settings.ts';
import { createSignInThrottle, signIn } from '#services/access/sign-in.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { newOrganisation, organisationsOf } from '#testing/organisations-command.ts';
import { requestsOf } from '#testing/people-who-act.ts';
import { PASSWORD } from '#testing/secrets.ts';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(() => deps.close());

const organisations = organisationsOf(() => deps);

const organisation = (...flags: string[]) => newOrganisation(organisations, ...flags);

const audits = (tenantId: number) =>
  deps.db.withTenant(tenantId, (tx) =>
    tx.selectFrom('audit_log').select(['actor', 'action', 'detail']).where('tenant_id', '=', tenantId).orderBy('seq').execute(),
  );

test('its administrator signs in, its key works, and it begins with the rules for everybody', async () => {
  const one = await organisation('--time-zone', 'europe/london', '--admin-name', 'Ann');
  expect(one.apiKey).toMatch(/^mu_live_/);
  const signedIn = await signIn(deps, createSignInThrottle(), { email: one.email, password: PASSWORD, ip: '192.0.2.1' });
  expect(signedIn.tenantId).toBe(one.id);
  const answer = await createApp(deps).request('/v1/settings', { headers: { authorization: `Bearer ${one.apiKey}` } });
  expect([answer.status, await answer.json()]).toMatchObject([200, { name: one.name, timeZone: 'Europe/London' }]);
  expect(await getSettings(deps.as(one.id))).toMatchObject({ approvalAbove: { life: 100, bulk: 10_000 }, doubling: true, asksPrograms: true });
  expect(await audits(one.id)).toMatchObject([
    { actor: 'host', action: 'tenant.create' },
    { actor: 'host', action: 'key.create' },
  ]);
  const stop = await requestsOf(createApp(deps), one.apiKey)('POST', '/stop', { scope: 'installation' });
  expect(stop.status).toBe(403);
});

test('the key is shown on the terminal, the password is asked for twice and never shown', async () => {
  const asked: string[] = [];
  const answers = [PASSWORD, PASSWORD, PASSWORD, `${PASSWORD}!`];
  const askSecret = (question: string) => {
    asked.push(question);
    return Promise.resolve(answers.shift());
  };
  const argv = ['create', '--name', 'Lifeboats', '--admin-email', 'Cox@Lifeboats.example', '--operator'];
  const { code, out, err } = await organisations(argv, { askSecret });
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/^organisation \d+: Lifeboats\nadministrator: cox@lifeboats\.example, operator\nAPI key, shown this once: mu_live_\w+\n$/i);
  expect(out).not.toContain(PASSWORD);
  expect(asked).toHaveLength(2);
  expect(await organisations(['create', '--name', 'Other', '--admin-email', 'o@other.example'], { askSecret })).toMatchObject({
    code: 2,
    err: expect.stringContaining('not the same'),
  });
  expect(await organisations(['create', '--name', 'Other', '--admin-email', 'o@other.example'])).toMatchObject({
    code: 2,
    err: expect.stringContaining('--password-stdin'),
  });
});

test('without DATABASE_URL it works beside npm run up, and says where; where that has ended or never was, it says so', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'muster-ready-'));
  const beside = (argv: string[]) => organisations(argv, { env: { MUSTER_DATA: folder } });
  const ready = (database: string) => writeFileSync(join(folder, DATABASE_FILE), JSON.stringify({ url: database }));
  try {
    expect(await beside(['list'])).toMatchObject({
      code: 78,
      err: expect.stringContaining(`DATABASE_URL: is required, and no embedded database of npm run up is in ${folder}`),
    });
    const one = await organisation();
    ready(deps.databaseUrl);
    expect(await beside(['list'])).toMatchObject({
      code: 0,
      out: expect.stringContaining(one.name),
      err: `organisations: on the installation of npm run up in ${folder}\n`,
    });
    ready('postgres://nobody@127.0.0.1:1/none');
    expect(await beside(['list'])).toMatchObject({ code: 69, err: expect.stringContaining('does not run: start it') });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('every wrong flag is named at once, and nothing is left of what was refused', async () => {
  const one = await organisation();
  const before = (await organisations(['list', '--json'])).out;
  const wrong = await organisations(
    [
      'create',
      '--name',
      one.name.toUpperCase(),
      '--admin-email',
      'nobody',
      '--admin-name',
      ' ',
      '--time-zone',
      'Mars/Base',
      '--country',
      'XX',
      '--password-stdin',
    ],
    { readStdin: () => Promise.resolve('short') },
  );
  expect(wrong).toMatchObject({ code: 1, out: '' });
  for (const flag of ['--name', '--admin-email', '--admin-name', '--time-zone', '--country', 'password']) expect(wrong.err).toContain(`  ${flag}: `);
  const taken = await organisations(['create', '--name', 'Newcomers', '--admin-email', one.email.toUpperCase(), '--password-stdin']);
  expect(taken).toMatchObject({ code: 1, out: '', err: expect.stringContaining('--admin-email: somebody, perhaps disabled, has') });
  expect((await organisations(['list', '--json'])).out).toBe(before);
});

test('an operator is named and loses it again, and with it what the keys may do', async () => {
  const one = await organisation('--operator');
  const release = async () => {
    // A new app each time: one remembers a key for some seconds.
    const answer = await requestsOf(createApp(deps), one.apiKey)('POST', '/stop', { scope: 'installation', release: true });
    return answer.status;
  };
  expect(await release()).toBe(200);
  expect((await organisations(['list'])).out).toMatch(new RegExp(`${one.name} .*operators: ${one.email}\n`));
  expect(await organisations(['operator', '--email', one.email.toUpperCase(), '--revoke'])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/: no operator\n$/),
  });
  expect(await release()).toBe(403);
  expect((await organisations(['list'])).out).not.toMatch(new RegExp(`${one.name} .*operators`));
  expect(await organisations(['operator', '--email', one.email])).toMatchObject({ code: 0, out: `${one.email}: operator\n` });
  expect(await organisations(['operator', '--email', one.email])).toMatchObject({ code: 0, out: `${one.email}: operator, as before\n` });
  expect(await release()).toBe(200);
  expect(await organisations(['operator', '--email', 'nobody@rescue.example'])).toMatchObject({ code: 1, err: expect.stringContaining('--email: ') });
  expect((await audits(one.id)).map((entry) => entry.action).filter((action) => action.startsWith('operator.'))).toEqual(['operator.revoke', 'operator.name']);
});

test('senders are added, listed and given another rate', async () => {
  const one = await organisation();
  const sender = (...flags: string[]) => organisations(['sender', '--organisation', one.name, ...flags]);
  expect(await organisations(['senders', '--organisation', String(one.id)])).toMatchObject({ code: 0, out: expect.stringContaining('no sender yet') });
  const added = await sender('--channel', 'sms', '--name', 'Alerts', '--address', '+1 (202) 555-0100', '--classes', 'life,ops', '--rate', '3');
  expect(added).toMatchObject({ code: 0, out: expect.stringMatching(/^snd_\w+: added\n$/) });
  expect(await sender('--channel', 'sms', '--name', 'Second', '--address', '+12025550101', '--account', '2')).toMatchObject({ code: 0 });
  expect(await sender('--channel', 'email', '--name', 'Mail', '--address', 'Rescue <alerts@rescue.example>', '--drill')).toMatchObject({ code: 0 });
  expect(await sender('--channel', 'push', '--name', 'Push')).toMatchObject({ code: 0 });
  const rows = () =>
    deps.db.withTenant(one.id, (tx) =>
      tx
        .selectFrom('senders')
        .select(['channel', 'address', 'account', 'drill', 'simulated', 'units_per_second', sql<string[]>`classes::text[]`.as('classes')])
        .orderBy('id')
        .execute(),
    );
  const all = ['life', 'ops', 'bulk'];
  expect(await rows()).toEqual([
    { channel: 'sms', address: '+12025550100', account: 1, drill: false, simulated: false, units_per_second: 3, classes: ['life', 'ops'] },
    { channel: 'sms', address: '+12025550101', account: 2, drill: false, simulated: false, units_per_second: null, classes: all },
    { channel: 'email', address: 'Rescue <alerts@rescue.example>', account: 1, drill: true, simulated: false, units_per_second: null, classes: all },
    { channel: 'push', address: '', account: 1, drill: false, simulated: false, units_per_second: null, classes: all },
  ]);
  const listed = await organisations(['senders', '--organisation', one.name]);
  expect(listed.out).toMatch(/snd_\w+ {2}sms {4}account 1 {2}3\/s .*life,ops .*Alerts {2}\+12025550100\n/);
  expect(listed.out).toMatch(/Mail {2}Rescue <alerts@rescue\.example> {2}drills\n/);
  const id = /snd_\w+/.exec(added.out)?.[0] ?? '';
  const rate = (which: string, to: string) => organisations(['rate', '--organisation', one.name, '--sender', which, '--rate', to]);
  expect(await rate(id, '0.5')).toMatchObject({ code: 0, out: `${id}: 0.5/s\n` });
  expect((await rows())[0]).toMatchObject({ units_per_second: 0.5 });
  expect(await rate('alerts', 'none')).toMatchObject({ code: 0, out: `${id}: no rate\n` });
  expect((await rows())[0]).toMatchObject({ units_per_second: null });
  // A slip that has taken the sender's time for a day is mended by the next change.
  await deps.db.withTenant(one.id, (tx) => sql`UPDATE senders SET next_free_at = now() + interval '1 day' WHERE name = 'Alerts'`.execute(tx));
  expect(await rate('Alerts', '5')).toMatchObject({ code: 0 });
  const free = await deps.db.withTenant(one.id, (tx) =>
    sql<{ soon: boolean }>`SELECT next_free_at < now() + interval '31 seconds' AS soon FROM senders WHERE name = 'Alerts'`.execute(tx),
  );
  expect(free.rows).toEqual([{ soon: true }]);
  expect(await rate('Nobody', '1')).toMatchObject({ code: 1, err: expect.stringContaining('No such sender') });
  expect((await audits(one.id)).map((entry) => entry.action).slice(2)).toEqual([
    ...Array<string>(4).fill('sender.create'),
    ...Array<string>(3).fill('sender.change'),
  ]);
});

test('a sender that could not send, or whose texts would go astray, is refused by its flag', async () => {
  const [one, other] = [await organisation(), await organisation()];
  const add = (to: { name: string }, ...flags: string[]) => organisations(['sender', '--organisation', to.name, ...flags]);
  const sms = ['--channel', 'sms', '--name', 'SMS'];
  expect(await add(one, ...sms, '--address', '+12025550120')).toMatchObject({ code: 0 });
  const refusals: [{ name: string }, string[], string][] = [
    [one, ['--channel', 'sms', '--name', 'sms', '--address', '+12025550121'], '--name'],
    [one, ['--channel', 'sms', '--name', 'Again', '--address', '+12025550120'], '--address'],
    [other, [...sms, '--address', '+12025550120'], '--address'],
    [other, [...sms, '--address', '2025550121'], '--address'],
    [other, ['--channel', 'email', '--name', 'Mail', '--address', 'Rescue <nobody>'], '--address'],
    [other, ['--channel', 'email', '--name', 'Mail', '--address', 'Rescue\n<alerts@rescue.example>'], '--address'],
    [other, ['--channel', 'push', '--name', 'Push', '--address', 'x'], '--address'],
    [other, ['--channel', 'push', '--name', 'Push', '--account', '2'], '--account'],
    [other, [...sms, '--address', '+12025550121', '--account', '0'], '--account'],
    [other, [...sms, '--address', '+12025550121', '--rate', '0'], '--rate'],
  ];
  for (const [to, flags, named] of refusals)
    expect(await add(to, ...flags), flags.join(' ')).toMatchObject({ code: 1, out: '', err: expect.stringContaining(`  ${named}: `) });
  const usage: [string[], string][] = [
    [['--channel', 'pigeon', '--name', 'P', '--address', 'x'], '--channel'],
    [['--channel', 'sms', '--name', 'S'], '--address'],
    [[...sms, '--address', '+12025550121', '--classes', 'life,alarm'], '--classes'],
    [[...sms, '--address', '+12025550121', '--account', 'third'], '--account'],
    [[...sms, '--address', '+12025550121', '--rate', 'fast'], '--rate'],
    [['--name', 'S'], '--channel'],
    [[...sms, '--revoke'], '--revoke'],
  ];
  for (const [flags, named] of usage)
    expect(await add(other, ...flags), flags.join(' ')).toMatchObject({ code: 2, out: '', err: expect.stringContaining(named) });
  expect(await organisations(['senders', '--organisation', 'Nobody'])).toMatchObject({ code: 1, err: expect.stringContaining('No such organisation') });
  expect((await organisations(['senders', '--organisation', other.name, '--json'])).out).toBe('[]\n');
});

test('the user of the processes may do it, one without their role is told, and so is an empty database', async () => {
  const owner = new pg.Client({ connectionString: inject('ownerUrl') });
  await owner.connect();
  const suffix = String(process.pid);
  const as = (user: string, database?: string) => {
    const url = new URL(deps.databaseUrl);
    url.username = user;
    url.password = 'trial';
    if (database !== undefined) url.pathname = `/${database}`;
    return { env: { DATABASE_URL: url.href } };
  };
  try {
    await owner.query(`CREATE ROLE app_${suffix} LOGIN PASSWORD 'trial' IN ROLE muster_api, muster_worker`);
    await owner.query(`CREATE ROLE other_${suffix} LOGIN PASSWORD 'trial'`);
    await owner.query(`CREATE DATABASE empty_${suffix}`);
    expect(
      await organisations(['create', '--name', 'By the app', '--admin-email', 'app@rescue.example', '--password-stdin'], as(`app_${suffix}`)),
    ).toMatchObject({ code: 0, err: '' });
    expect((await organisations(['list'], as(`app_${suffix}`))).out).toContain('By the app');
    expect(await organisations(['list'], as(`other_${suffix}`))).toMatchObject({ code: 77, out: '', err: expect.stringContaining('IN ROLE muster_api') });
    expect(await organisations(['list'], as(`app_${suffix}`, `empty_${suffix}`))).toMatchObject({
      code: 78,
      out: '',
      err: expect.stringContaining('npm run migrate'),
    });
  } finally {
    await owner.query(`DROP DATABASE IF EXISTS empty_${suffix} WITH (FORCE)`);
    for (const role of [`app_${suffix}`, `other_${suffix}`]) await owner.query(`DROP ROLE IF EXISTS ${role}`);
    await owner.end();
  }
});

test('wrong words, no address and nobody there each end with a code of their own', async () => {
  expect(await organisations([])).toMatchObject({ code: 2 });
  expect(await organisations(['destroy'])).toMatchObject({ code: 2, err: expect.stringContaining('no such verb') });
  expect(await organisations(['create', '--help'])).toMatchObject({ code: 0, out: expect.stringContaining('--password-stdin') });
  expect(await organisations(['list'], { env: {} })).toMatchObject({ code: 78, err: expect.stringContaining('DATABASE_URL') });
  expect(await organisations(['list'], { env: { DATABASE_URL: 'postgres://muster@127.0.0.1:1/muster' } })).toMatchObject({ code: 69 });
});

test('the command itself takes the password from standard input and needs no other variable', async () => {
  const child = spawn(
    process.execPath,
    ['src/organisations-main.ts', 'create', '--name', 'By hand', '--admin-email', 'hand@rescue.example', '--password-stdin'],
    {
      env: { PATH: process.env['PATH'], DATABASE_URL: deps.databaseUrl },
    },
  );
  child.stdin.end(`${PASSWORD}\n`);
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), new Promise((done) => child.once('close', done))]);
  expect([code, err]).toEqual([0, '']);
  expect(out).toMatch(/API key, shown this once: mu_live_\w{44}\n$/);
  expect((await organisations(['list'])).out).toContain('By hand');
});
