import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { ConfigError, environmentHelp, newSecretKeys, readConfig, readUpConfig, VARIABLES } from './config.ts';

const GOOD = { DATABASE_URL: 'postgres://u:p@127.0.0.1:5432/muster', SECRET_KEYS: newSecretKeys() };

/** The problems that `readConfig` names for these changes to a good environment. */
function problems(change: Record<string, string | undefined>): readonly string[] {
  try {
    readConfig({ ...GOOD, ...change });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test('the two variables that production must set are enough, and the rest has defaults', () => {
  const config = readConfig(GOOD);
  expect(config).toMatchObject({
    port: 8080,
    host: '127.0.0.1',
    publicUrl: 'http://127.0.0.1:8080',
    redisUrls: [],
    accounts: [],
    vapidPublicKey: undefined,
    workerLanes: ['life', 'ops', 'bulk'],
    logLevel: 'info',
  });
  expect(config.dataFolder).toBe(resolve('.muster'));
  expect(config.secretKeys.keys[0]?.secret).toHaveLength(32);
});

test.each([
  ['PORT', 'eighty'],
  ['PORT', '70000'],
  ['PORT', '80.5'],
  ['SIMULATOR_PORT', '-1'],
  ['DATABASE_URL', 'mysql://localhost/x'],
  ['DATABASE_URL', 'localhost:5432'],
  ['REDIS_URL', 'localhost:6379'],
  ['REDIS_URL', 'redis://a:6379,http://b:6379'],
  ['PUBLIC_URL', 'muster.example.org'],
  ['PUBLIC_URL', 'ftp://muster.example.org'],
  ['PUBLIC_URL', 'https://example.org/muster'],
  ['PUBLIC_URL', 'https://example.org/muster/'],
  ['PUBLIC_URL', 'https://example.org\\muster'],
  ['PUBLIC_URL', 'https://example.org?'],
  ['PUBLIC_URL', 'https://example.org?tenant=1'],
  ['PUBLIC_URL', 'https://example.org/#a'],
  ['PUBLIC_URL', 'https://name:secret@example.org'],
  ['SECRET_KEYS', 'not a ring'],
  ['SECRET_KEYS', 'a:c2hvcnQ='],
  ['SECRET_KEYS', ':AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='],
  ['TWILIO_ACCOUNT_SID', 'AC123'],
  ['TWILIO_API_URL', 'api.twilio.example'],
  ['TWILIO_AUTH_TOKEN', ' , '],
  ['TWILIO_2_ACCOUNT_SID', 'AC123'],
  ['TWILIO_2_API_URL', 'api.twilio.example'],
  ['SMTP_2_URL', 'mail.example.org:25'],
  ['SMTP_URL', 'mail.example.org:25'],
  ['MAIL_FROM', 'nobody'],
  ['VAPID_PUBLIC_KEY', 'too-short'],
  ['VAPID_PRIVATE_KEY', 'spaces are not base64 spaces are not base64'],
  ['VAPID_SUBJECT', 'me@example.org'],
  ['WORKER_LANES', 'life,express'],
  ['LOG_LEVEL', 'loud'],
])('%s=%s is refused in one line that names it', (name, value) => {
  const found = problems({ [name]: value });
  expect(found).toContainEqual(expect.stringMatching(new RegExp(`^${name}: .{8,}`)));
  expect(found.every((line) => /^[A-Z_\d]+: [^\n]+$/.test(line))).toBe(true);
});

test.each(['eighty', '70000', '80.5', '-1'])('PORT=%s: the error says what would be right', (value) => {
  expect(problems({ PORT: value })).toEqual(['PORT: must be a whole number from 0 to 65535']);
});

test('all bad variables are named at once', () => {
  const found = problems({ PORT: 'x', LOG_LEVEL: 'y', WORKER_LANES: 'z' });
  expect(new Set(found.map((line) => line.split(':', 1)[0]))).toEqual(new Set(['LOG_LEVEL', 'PORT', 'WORKER_LANES']));
});

test('no error repeats a secret value', () => {
  const secret = 'hunter2hunter2';
  for (const name of ['SECRET_KEYS', 'DATABASE_URL', 'SMTP_URL', 'VAPID_PRIVATE_KEY', 'TWILIO_ACCOUNT_SID'])
    expect(problems({ [name]: secret }).join('\n'), name).not.toContain(secret);
});

test.each(['DATABASE_URL', 'SECRET_KEYS'])('%s is required', (name) => {
  expect(problems({ [name]: undefined })).toContainEqual(expect.stringMatching(new RegExp(`^${name}: is required`)));
  expect(problems({ [name]: '' }), 'empty counts as unset').toHaveLength(1);
});

test.each([
  ['TWILIO_ACCOUNT_SID', `AC${'0'.repeat(32)}`, 'TWILIO_AUTH_TOKEN'],
  ['TWILIO_AUTH_TOKEN', 'token', 'TWILIO_ACCOUNT_SID'],
  ['TWILIO_2_ACCOUNT_SID', `AC${'0'.repeat(32)}`, 'TWILIO_2_AUTH_TOKEN'],
  ['TWILIO_2_AUTH_TOKEN', 'token', 'TWILIO_2_ACCOUNT_SID'],
  ['VAPID_PUBLIC_KEY', 'B'.repeat(87), 'VAPID_PRIVATE_KEY'],
  ['VAPID_PRIVATE_KEY', 'B'.repeat(43), 'VAPID_PUBLIC_KEY'],
])('%s alone is refused, naming the missing half', (name, value, missing) => {
  expect(problems({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${missing}: `))]);
});

test('values are read as they are meant', () => {
  const config = readConfig({
    ...GOOD,
    HOST: '::1',
    PORT: '9000',
    REDIS_URL: 'redis://a:6379, rediss://b:6379',
    WORKER_LANES: 'life, ops',
    PUSH_HOSTS: 'push.example.org, http://127.0.0.1:9',
    TWILIO_ACCOUNT_SID: `AC${'a'.repeat(32)}`,
    TWILIO_AUTH_TOKEN: 't',
    TWILIO_API_URL: 'http://127.0.0.1:8090/',
  });
  expect(config.publicUrl).toBe('http://[::1]:9000');
  expect(config.redisUrls).toEqual(['redis://a:6379', 'rediss://b:6379']);
  expect(config.workerLanes).toEqual(['life', 'ops']);
  expect(config.pushHosts).toEqual(['push.example.org', 'http://127.0.0.1:9']);
  expect(config.accounts[0]?.settings['apiUrl']).toBe('http://127.0.0.1:8090');
  expect(readConfig({ ...GOOD, PUBLIC_URL: 'https://muster.example.org//' }).publicUrl).toBe('https://muster.example.org');
});

test('a second account calls where the first one does unless told, and a token that is being replaced stays good for webhooks', () => {
  const config = readConfig({
    ...GOOD,
    TWILIO_ACCOUNT_SID: `AC${'a'.repeat(32)}`,
    TWILIO_AUTH_TOKEN: 'new, old',
    TWILIO_API_URL: 'http://127.0.0.1:8090/',
    TWILIO_2_ACCOUNT_SID: `AC${'b'.repeat(32)}`,
    TWILIO_2_AUTH_TOKEN: 'other',
    SMTP_2_URL: 'smtp://127.0.0.1:26',
  });
  expect(config.accounts).toMatchObject([
    {
      ...{ channel: 'sms', provider: 'twilio', number: 1 },
      settings: { accountSid: `AC${'a'.repeat(32)}`, authTokens: ['new', 'old'], apiUrl: 'http://127.0.0.1:8090' },
    },
    {
      ...{ channel: 'sms', provider: 'twilio', number: 2 },
      settings: { accountSid: `AC${'b'.repeat(32)}`, authTokens: ['other'], apiUrl: 'http://127.0.0.1:8090' },
    },
    { channel: 'email', provider: 'smtp', number: 2, settings: { url: 'smtp://127.0.0.1:26' } },
  ]);
});

test('the key ring keeps its order: the first one signs', () => {
  const ring = readConfig({ ...GOOD, SECRET_KEYS: `b:${'B'.repeat(43)}=, a:${'A'.repeat(43)}=` }).secretKeys;
  expect(ring.keys.map((key) => key.id)).toEqual(['b', 'a']);
});

test('up needs neither database nor keys, but refuses bad values all the same', () => {
  expect(readUpConfig({ PORT: '0' })).toMatchObject({ port: 0, databaseUrl: undefined });
  expect(() => readUpConfig({ PORT: 'x' })).toThrow(ConfigError);
});

test('--help names every variable with its default', () => {
  const help = environmentHelp();
  for (const variable of VARIABLES) expect(help).toMatch(new RegExp(`^ {2}${variable.name} .*\\(default: .+\\)$`, 'm'));
  expect(new Set(VARIABLES.map((v) => v.name)).size).toBe(VARIABLES.length);
});
