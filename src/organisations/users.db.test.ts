import { afterAll, beforeAll, expect, test } from 'vitest';
import { Hono } from 'hono';
import { createApp } from '#http/app.ts';
import type { AppEnv } from '#http/env.ts';
import { progressHub } from '#http/progress-hub.ts';
import { consoleRoutes } from '#http/routes/console.ts';
import type { MessageView } from '#schemas/views.ts';
import { createSignInThrottle, signIn } from '#services/access/sign-in.ts';
import { BrowserSession } from '#testing/browser-session.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { organisationsOf, PASSWORD } from '#testing/organisations-command.ts';
import { addRecipients } from '#testing/people.ts';
import { addKeyOf, apiOf } from '#testing/people-who-act.ts';

const OTHER_PASSWORD = 'another long enough password';

let deps: TestDeps;
beforeAll(async () => {
  deps = await createTestDeps();
});
afterAll(async () => {
  await progressHub(deps).close();
  await deps.close();
});

const organisations = organisationsOf(() => deps);

let made = 0;
/** An organisation with a name and an administrator that no other test has. */
async function organisation(): Promise<{ id: number; apiKey: string; name: string; email: string; colleague: string }> {
  made += 1;
  const [name, email] = [`Relief ${made}`, `admin-${made}@relief.example`];
  const { code, out } = await organisations(['create', '--name', name, '--admin-email', email, '--password-stdin', '--json']);
  expect(code).toBe(0);
  return { ...(JSON.parse(out) as { id: number; apiKey: string }), name, email, colleague: `colleague-${made}@relief.example` };
}

const add = (to: { name: string }, email: string, role: string, ...flags: string[]) =>
  organisations(['person', '--organisation', to.name, '--email', email, '--name', 'Colleague', '--role', role, '--password-stdin', ...flags]);

const browser = () => new BrowserSession(new Hono<AppEnv>().route('/', consoleRoutes(deps)));
async function signedIn(email: string, password = PASSWORD): Promise<BrowserSession> {
  const session = browser();
  await session.signIn(email, password);
  return session;
}
// A new app each time: one remembers a key for some seconds.
const keyStatus = async (apiKey: string): Promise<number> => (await apiOf(createApp(deps), apiKey)('GET', '/settings')).status;

const audits = async (tenantId: number): Promise<object[]> => {
  const all = await deps.db.withTenant(tenantId, (tx) =>
    tx.selectFrom('audit_log').select(['actor', 'action', 'detail']).where('tenant_id', '=', tenantId).orderBy('seq').execute(),
  );
  return all.filter((entry) => entry.action.startsWith('person.'));
};

test('a second person is added, signs in, and approves what the first may not send alone', async () => {
  const one = await organisation();
  await addRecipients(deps, one.id, 2);
  const author = apiOf(createApp(deps), one.apiKey);
  expect((await organisations(['sender', '--organisation', one.name, '--channel', 'sms', '--name', 'SMS', '--address', `+1202555${1000 + one.id}`])).code).toBe(
    0,
  );
  expect((await author('PATCH', '/settings', { approvalAbove: { life: 1, ops: 1, bulk: 1 } })).status).toBe(200);
  const draft = {
    class: 'ops',
    text: { en: 'Come to the hall' },
    audience: { all: true },
    channels: ['sms'],
    expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
  };
  const { json: message } = await author<MessageView>('POST', '/messages', draft);
  const launch = () => author('POST', `/messages/${message.id}/launch`);
  expect(await launch()).toMatchObject({ status: 409, json: { code: 'approval_required' } });
  const approve = async (session: BrowserSession) =>
    (await session.post(`/messages/${message.id}/approve`, { _csrf: await session.token(), audienceHash: message.audience.hash ?? '' })).text();
  expect(await approve(await signedIn(one.email))).toContain('another person must');
  expect(await launch()).toMatchObject({ status: 409, json: { code: 'approval_required' } });

  expect(await add(one, one.colleague.toUpperCase(), 'coordinator')).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringMatching(/: added as coordinator\n$/),
  });
  await approve(await signedIn(one.colleague));
  expect(await launch()).toMatchObject({ status: 202, json: { state: 'live' } });
  expect(await audits(one.id)).toEqual([{ actor: 'host', action: 'person.create', detail: { role: 'coordinator' } }]);
});

test('the people of an organisation are listed with what they may do, and those of another are not', async () => {
  const [one, other] = [await organisation(), await organisation()];
  await add(one, one.colleague, 'viewer');
  await organisations(['operator', '--email', one.email]);
  await organisations(['disable', '--email', one.colleague]);
  const { code, out } = await organisations(['people', '--organisation', one.name]);
  const line = (email: string, rest: string) => `${email.padEnd(32)}  ${rest}\n`;
  expect([code, out]).toEqual([
    0,
    line(one.email, 'admin        Administrator  operator') + line(one.colleague, `viewer       Colleague  disabled ${new Date().toISOString().slice(0, 10)}`),
  ]);
  const listed = JSON.parse((await organisations(['people', '--organisation', String(other.id), '--json'])).out) as unknown;
  expect(listed).toEqual([
    { id: expect.any(String), email: other.email, name: 'Administrator', role: 'admin', operator: false, createdAt: expect.any(String), disabledAt: null },
  ]);
});

test('each role may do what the console allows it', async () => {
  const one = await organisation();
  const may = async (email: string) => {
    const settings = await (await signedIn(email)).text('/settings');
    const compose = await (await signedIn(email)).get('/messages/new');
    return { writes: compose.status === 200, administers: settings.includes('name="scope"') };
  };
  const rights = {
    admin: { writes: true, administers: true },
    coordinator: { writes: true, administers: false },
    viewer: { writes: false, administers: false },
  };
  for (const [role, wanted] of Object.entries(rights)) {
    expect((await add(one, `${role}-of-${one.id}@relief.example`, role)).code).toBe(0);
    expect(await may(`${role}-of-${one.id}@relief.example`), role).toEqual(wanted);
  }
});

test('a new password ends the sessions of the one before; keys and other people stay', async () => {
  const one = await organisation();
  await add(one, one.colleague, 'admin');
  const [session, second, bystander] = [await signedIn(one.email), await signedIn(one.email), await signedIn(one.colleague)];
  const asked: string[] = [];
  const askSecret = (question: string) => {
    asked.push(question);
    return Promise.resolve(OTHER_PASSWORD);
  };
  const done = await organisations(['password', '--email', one.email.toUpperCase()], { askSecret });
  expect(done).toEqual({ code: 0, err: '', out: `${one.email.toUpperCase()}: new password, 2 sessions ended\n` });
  expect(asked).toHaveLength(2);
  for (const ended of [session, second]) expect(await (await ended.get('/settings')).text()).toContain('name="password"');
  expect(await bystander.text('/settings')).toContain('name="_csrf"');
  await expect(signedIn(one.email)).rejects.toThrow('401');
  expect(await (await signedIn(one.email, OTHER_PASSWORD)).text('/settings')).toContain('name="_csrf"');
  expect(await keyStatus(one.apiKey)).toBe(200);
  expect((await audits(one.id)).at(-1)).toEqual({ actor: 'host', action: 'person.password', detail: { sessionsEnded: 2 } });
});

test('who is disabled is signed out, his keys stop at every scope, and both come back; a key without a person stays', async () => {
  const one = await organisation();
  await add(one, one.colleague, 'admin');
  const session = await signedIn(one.colleague);
  const { id: userId } = await deps.db.withTenant(one.id, (tx) =>
    tx.selectFrom('users').select('id').where('tenant_id', '=', one.id).where('email', '=', one.colleague).executeTakeFirstOrThrow(),
  );
  const own = await addKeyOf(deps, one.id, userId);
  const nobodys = await addKeyOf(deps, one.id, userId);
  await deps.db.withTenant(one.id, (tx) =>
    tx
      .updateTable('api_keys')
      .set({ user_id: null })
      .where('tenant_id', '=', one.id)
      .where(
        'id',
        '=',
        tx
          .selectFrom('api_keys')
          .select((eb) => eb.fn.max('id').as('id'))
          .where('tenant_id', '=', one.id),
      )
      .execute(),
  );
  const keys = async () => [await keyStatus(own), await keyStatus(nobodys), await keyStatus(one.apiKey)];
  expect(await keys()).toEqual([200, 200, 200]);

  expect(await organisations(['disable', '--email', one.colleague])).toMatchObject({
    code: 0,
    out: `${one.colleague}: disabled, 1 session ended, 1 API key stopped\n`,
  });
  expect(await keys()).toEqual([401, 200, 200]);
  expect(await session.text('/settings')).toContain('name="password"');
  await expect(signedIn(one.colleague)).rejects.toThrow('401');
  expect(await organisations(['disable', '--email', one.colleague])).toMatchObject({ code: 0, out: expect.stringMatching(/, as before\n$/) });
  expect(await organisations(['password', '--email', one.colleague, '--password-stdin'])).toMatchObject({
    code: 0,
    out: expect.stringMatching(/; still disabled\n$/),
  });
  await expect(signedIn(one.colleague)).rejects.toThrow('401');

  expect(await organisations(['enable', '--email', one.colleague])).toMatchObject({ code: 0, out: `${one.colleague}: enabled, 1 API key in use again\n` });
  expect(await organisations(['enable', '--email', one.colleague])).toMatchObject({ code: 0, out: expect.stringMatching(/, as before\n$/) });
  expect(await keys()).toEqual([200, 200, 200]);
  // The session that was open before stays ended.
  expect(await session.text('/settings')).toContain('name="password"');
  expect(await (await signedIn(one.colleague)).text('/settings')).toContain('name="_csrf"');
  expect((await audits(one.id)).slice(1)).toEqual([
    { actor: 'host', action: 'person.disable', detail: { sessionsEnded: 1, keys: 1 } },
    { actor: 'host', action: 'person.password', detail: { sessionsEnded: 0 } },
    { actor: 'host', action: 'person.enable', detail: { sessionsEnded: 0, keys: 1 } },
  ]);
});

test('the last administrator who can sign in stays, also where two would go at the same moment', async () => {
  const one = await organisation();
  await add(one, one.colleague, 'coordinator');
  const disable = (email: string) => organisations(['disable', '--email', email]);
  const refused = { code: 1, out: '', err: expect.stringContaining('the last administrator') };
  expect(await disable(one.email)).toMatchObject(refused);
  const second = `second-${one.id}@relief.example`;
  await add(one, second, 'admin');
  expect((await disable(second)).code).toBe(0);
  expect(await disable(one.email)).toMatchObject(refused);
  expect((await disable(one.colleague)).code).toBe(0);
  expect((await organisations(['enable', '--email', second])).code).toBe(0);
  const both = await Promise.all([disable(one.email), disable(second)]);
  expect(both.map(({ code }) => code).sort((a, b) => a - b)).toEqual([0, 1]);
});

test('a sign-in that is under way when the password is replaced opens nothing', async () => {
  const one = await organisation();
  const holder = await deps.db.connect();
  try {
    await holder.query('BEGIN');
    await holder.query(`SELECT set_config('app.tenant', $1, true)`, [String(one.id)]);
    await holder.query(`UPDATE users SET password_hash = 'replaced' WHERE tenant_id = $1`, [one.id]);
    const signingIn = signIn(deps, createSignInThrottle(), { email: one.email, password: PASSWORD, ip: '192.0.2.1' }).then(
      () => 'signed in',
      (error: unknown) => (error as { code?: string }).code,
    );
    const waiting = async (): Promise<number> => {
      const { rows } = await holder.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid`,
      );
      return rows[0]?.n ?? 0;
    };
    await expect.poll(waiting).toBe(1);
    await holder.query('COMMIT');
    expect(await signingIn).toBe('wrong_credentials');
  } finally {
    holder.release();
  }
});

test('what is wrong is named by its flag, with the code of its kind', async () => {
  const [one, other] = [await organisation(), await organisation()];
  const wrong = await organisations(['person', '--organisation', one.name, '--email', 'nobody', '--name', ' ', '--role', 'viewer', '--password-stdin'], {
    readStdin: () => Promise.resolve('short'),
  });
  expect(wrong).toMatchObject({ code: 1, out: '' });
  for (const flag of ['--email', '--name', 'password']) expect(wrong.err).toContain(`  ${flag}: `);
  // An address is one person's in the whole installation.
  expect(await add(other, one.email.toUpperCase(), 'viewer')).toMatchObject({ code: 1, out: '', err: expect.stringContaining('  --email: somebody') });
  expect(await add({ name: 'Nobody' }, one.colleague, 'viewer')).toMatchObject({ code: 1, err: expect.stringContaining('No such organisation') });
  for (const verb of [['password', '--password-stdin'], ['disable'], ['enable']])
    expect(await organisations([...verb, '--email', 'nobody@relief.example']), verb.join(' ')).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('  --email: '),
    });
  const short = await organisations(['password', '--email', one.email, '--password-stdin'], { readStdin: () => Promise.resolve('short') });
  expect(short).toMatchObject({ code: 1, out: '', err: expect.stringContaining('  password: ') });
  const usage: [string[], string][] = [
    [['people'], '--organisation'],
    [['person', '--organisation', one.name, '--email', 'a@relief.example', '--name', 'A'], '--role'],
    [['person', '--organisation', one.name, '--email', 'a@relief.example', '--name', 'A', '--role', 'king'], 'admin, coordinator, viewer'],
    [['person', '--organisation', one.name, '--email', 'a@relief.example', '--name', 'A', '--role', 'viewer'], '--password-stdin'],
    [['password', '--email', one.email], '--password-stdin'],
    [['password', '--email', one.email, '--password', 'x'], '--password'],
    [['disable'], '--email'],
    [['enable'], '--email'],
  ];
  for (const [argv, named] of usage) expect(await organisations(argv), argv.join(' ')).toMatchObject({ code: 2, out: '', err: expect.stringContaining(named) });
  expect((await organisations(['people', '--organisation', one.name, '--json'])).out).not.toContain('a@relief.example');
});
