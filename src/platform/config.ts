import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { z } from 'zod';
import { type ProviderAccount, readAccounts, type TwilioAccount, twilioAccount } from './accounts.ts';
import type { KeyRing } from './tokens.ts';

/** One documented environment variable. */
interface Variable {
  readonly name: string;
  readonly default: string;
  readonly about: string;
}

const aboutPort = { error: 'must be a whole number from 0 to 65535' };
const port = z.coerce.number(aboutPort).int(aboutPort).min(0, aboutPort).max(65_535, aboutPort);
const url = (...protocols: string[]) =>
  z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), {
    message: `must be a URL starting with ${protocols.map((p) => `${p}//`).join(' or ')}`,
  });

/** Links, webhooks and the service worker stand at the root of a host; below a path their signatures and scopes would not fit. */
const publicUrl = url('http:', 'https:').refine((text) => !URL.canParse(text) || /^https?:\/\/[^/\\?#@]+\/*$/i.test(text), {
  message: 'must be a scheme and a host alone, without a path, a query or a name (https://muster.example.org): give Muster a host name of its own',
});

const redisUrl = z.string().refine((text) => text.split(',').every((one) => URL.canParse(one.trim()) && /^rediss?:$/.test(new URL(one.trim()).protocol)), {
  message: 'must be redis://host:port or rediss://host:port, or a comma list of them for Redis Cluster',
});

const keyRing = z.string().transform((text, ctx): KeyRing => {
  const keys = text.split(',').map((part) => {
    const [id, base64] = part.trim().split(':', 2);
    return { id: id ?? '', secret: Buffer.from(base64 ?? '', 'base64') };
  });
  if (keys.some((key) => key.id === '' || key.secret.length < 16))
    ctx.addIssue({ code: 'custom', message: 'must be id:base64,id:base64 with at least 16 bytes in each key (make one: openssl rand -base64 32)' });
  return { keys };
});

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean),
);

const accountSid = z.string().regex(/^AC[0-9a-fA-F]{32}$/, 'must be AC and 32 hexadecimal digits');
const authTokens = list.refine((tokens) => tokens.length > 0, { message: 'must be a token, or a comma list of them: the first one calls' });

const LANES = ['life', 'ops', 'bulk'] as const;

const schema = z.object({
  PORT: port.default(8080),
  HOST: z.string().min(1).default('127.0.0.1'),
  SIMULATOR_PORT: port.default(8090),
  SIMULATOR_SMTP_PORT: port.default(0),
  MUSTER_DATA: z.string().min(1).default('./.muster'),
  DATABASE_URL: url('postgres:', 'postgresql:').optional(),
  REDIS_URL: redisUrl.optional(),
  PUBLIC_URL: publicUrl.optional(),
  SECRET_KEYS: keyRing.optional(),
  SIMULATOR_SMTP_2_PORT: port.default(0),
  TWILIO_ACCOUNT_SID: accountSid.optional(),
  TWILIO_AUTH_TOKEN: authTokens.optional(),
  TWILIO_API_URL: url('http:', 'https:').default('https://api.twilio.com'),
  TWILIO_2_ACCOUNT_SID: accountSid.optional(),
  TWILIO_2_AUTH_TOKEN: authTokens.optional(),
  TWILIO_2_API_URL: url('http:', 'https:').optional(),
  SMTP_URL: url('smtp:', 'smtps:').optional(),
  SMTP_2_URL: url('smtp:', 'smtps:').optional(),
  MUSTER_ACCOUNTS: z.string().optional(),
  BOUNCE_SMTP_PORT: port.optional(),
  BOUNCE_SMTP_URL: url('smtp:', 'smtps:').optional(),
  MAIL_FROM: z.string().includes('@', { message: 'must be an address such as Muster <alerts@example.org>' }).default('Muster <muster@localhost.localdomain>'),
  VAPID_PUBLIC_KEY: z
    .string()
    .regex(/^[A-Za-z0-9_-]{87}$/, 'must be 65 bytes in URL-safe base64 (87 characters)')
    .optional(),
  VAPID_PRIVATE_KEY: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in URL-safe base64 (43 characters)')
    .optional(),
  VAPID_SUBJECT: url('mailto:', 'https:').default('mailto:muster@localhost.localdomain'),
  PUSH_HOSTS: list.default([]),
  TRUSTED_PROXIES: list.default([]),
  WORKER_LANES: z
    .string()
    .transform((text) => text.split(',').map((lane) => lane.trim()))
    .pipe(z.array(z.enum(LANES)).min(1))
    .default([...LANES]),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
});

/** Every variable, for `--help` and the README. */
export const VARIABLES: readonly Variable[] = [
  { name: 'PORT', default: '8080', about: 'port of the API and console' },
  { name: 'HOST', default: '127.0.0.1', about: 'address that the API listens on' },
  { name: 'SIMULATOR_PORT', default: '8090', about: 'port of the simulated carriers' },
  { name: 'SIMULATOR_SMTP_PORT', default: 'any free', about: 'port of the simulated mail relay' },
  { name: 'SIMULATOR_SMTP_2_PORT', default: 'any free', about: 'port of its second mail relay' },
  { name: 'MUSTER_DATA', default: './.muster', about: 'folder for the embedded database and the simulator log' },
  { name: 'DATABASE_URL', default: 'embedded', about: 'PostgreSQL 15 or later; the user must be able to create roles on first start' },
  { name: 'REDIS_URL', default: 'none', about: 'queue on Redis (redis://, rediss://, comma list for Cluster); without it the queue runs on Postgres' },
  { name: 'PUBLIC_URL', default: 'http://HOST:PORT', about: 'what links and webhook signatures use; the Host header is never believed' },
  { name: 'SECRET_KEYS', default: 'made once, kept in MUSTER_DATA', about: 'key ring id:base64,id:base64; the first one signs' },
  { name: 'TWILIO_ACCOUNT_SID', default: 'simulator', about: 'account of the SMS sender' },
  { name: 'TWILIO_AUTH_TOKEN', default: 'simulator', about: 'its token; while one is replaced new,old: the first calls, webhooks may be signed with any' },
  { name: 'TWILIO_API_URL', default: 'https://api.twilio.com', about: 'override of the API address (simulator, edge)' },
  { name: 'TWILIO_2_ACCOUNT_SID', default: 'simulator', about: 'a second account, for senders with account 2' },
  { name: 'TWILIO_2_AUTH_TOKEN', default: 'simulator', about: 'its token or tokens' },
  { name: 'TWILIO_2_API_URL', default: 'TWILIO_API_URL', about: 'its API address' },
  { name: 'SMTP_URL', default: 'simulator', about: 'smtp://user:password@host:port of the mail relay' },
  { name: 'SMTP_2_URL', default: 'simulator', about: 'a second relay, for senders with account 2' },
  { name: 'MUSTER_ACCOUNTS', default: 'none', about: 'further accounts as JSON or the path of a JSON file: [{"channel", "provider", "number", …settings}]' },
  { name: 'BOUNCE_SMTP_PORT', default: 'off', about: 'port on which the API takes bounce mail for the return path of MAIL_FROM' },
  { name: 'BOUNCE_SMTP_URL', default: 'none', about: 'where the simulated mail relay hands in bounces' },
  { name: 'MAIL_FROM', default: 'Muster <muster@localhost.localdomain>', about: 'From of e-mail; its domain is the return path' },
  { name: 'VAPID_PUBLIC_KEY', default: 'made once, kept in MUSTER_DATA', about: 'web push application server key' },
  { name: 'VAPID_PRIVATE_KEY', default: 'made once, kept in MUSTER_DATA', about: 'its private half' },
  { name: 'VAPID_SUBJECT', default: 'mailto:muster@localhost.localdomain', about: 'contact that push services may write to' },
  { name: 'PUSH_HOSTS', default: 'none', about: 'further push services allowed besides the known ones: host, or http://host:port for a test service' },
  { name: 'TRUSTED_PROXIES', default: 'none', about: 'CIDR list of proxies whose X-Forwarded-For is believed' },
  { name: 'WORKER_LANES', default: 'life,ops,bulk', about: 'lanes that this worker serves' },
  { name: 'LOG_LEVEL', default: 'info', about: 'trace, debug, info, warn, error, fatal or silent' },
];

type Parsed = z.infer<typeof schema>;

export interface Config {
  readonly port: number;
  readonly host: string;
  readonly simulatorPort: number;
  /** Absolute path. */
  readonly dataFolder: string;
  readonly databaseUrl: string;
  readonly redisUrls: readonly string[];
  /** Base address without a slash at the end. */
  readonly publicUrl: string;
  readonly secretKeys: KeyRing;
  /** What messages are handed over with; of each channel the numbers that its senders name. */
  readonly accounts: readonly ProviderAccount[];
  readonly mailFrom: string;
  /** Port where bounces to the return path come in; undefined when bounces are not taken. */
  readonly bounceSmtpPort: number | undefined;
  /** What browsers subscribe with; no secret. Undefined: nobody can subscribe. */
  readonly vapidPublicKey: string | undefined;
  readonly pushHosts: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly workerLanes: readonly (typeof LANES)[number][];
  readonly logLevel: Parsed['LOG_LEVEL'];
}

/** The environment is wrong; `problems` holds one line for each variable. The process ends with exit code 78 (EX_CONFIG). */
export class ConfigError extends Error {
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The process's own environment, which only this file reads. Empty values count as unset. */
export const processEnvironment = (): Environment => process.env;

function parse(env: Environment): Parsed {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  throw new ConfigError(result.error.issues.map((issue) => `${String(issue.path[0])}: ${issue.message}`));
}

const publicUrlOf = (raw: Parsed): string =>
  (raw.PUBLIC_URL ?? `http://${raw.HOST.includes(':') ? `[${raw.HOST}]` : raw.HOST}:${raw.PORT}`).replace(/\/+$/, '');

/** Settings of `up`, which makes what is missing before the rest starts. */
export function readUpConfig(
  env: Environment,
): Pick<Config, 'port' | 'host' | 'simulatorPort' | 'dataFolder' | 'logLevel'> & { databaseUrl: string | undefined } {
  const raw = parse(env);
  return {
    port: raw.PORT,
    host: raw.HOST,
    simulatorPort: raw.SIMULATOR_PORT,
    dataFolder: resolve(raw.MUSTER_DATA),
    logLevel: raw.LOG_LEVEL,
    databaseUrl: raw.DATABASE_URL,
  };
}

const PAIRS = [
  ['TWILIO_ACCOUNT_SID', 'TWILIO_AUTH_TOKEN'],
  ['TWILIO_2_ACCOUNT_SID', 'TWILIO_2_AUTH_TOKEN'],
  ['VAPID_PUBLIC_KEY', 'VAPID_PRIVATE_KEY'],
] as const;

function publicKeyOf(accounts: readonly ProviderAccount[]): string | undefined {
  const key = accounts.find(({ provider }) => provider === 'webpush')?.settings['publicKey'];
  return typeof key === 'string' ? key : undefined;
}

/**
 * Reads and checks the environment once. What production must set (database and keys) is required here;
 * `npm run up` fills it in.
 */
export function readConfig(env: Environment): Config {
  const raw = parse(env);
  const problems: string[] = [];
  if (raw.DATABASE_URL === undefined) problems.push('DATABASE_URL: is required (npm run up starts an embedded database instead)');
  if (raw.SECRET_KEYS === undefined) problems.push('SECRET_KEYS: is required, as id:base64 (for example a:$(openssl rand -base64 32))');
  for (const pair of PAIRS)
    if (raw[pair[0]] === undefined ? raw[pair[1]] !== undefined : raw[pair[1]] === undefined)
      problems.push(`${pair.find((name) => raw[name] === undefined)}: is required when the other of the pair is set`);
  const { accounts, problems: wrong } = readAccounts(raw);
  problems.push(...wrong);
  if (raw.DATABASE_URL === undefined || raw.SECRET_KEYS === undefined || problems.length > 0) throw new ConfigError(problems);
  return {
    port: raw.PORT,
    host: raw.HOST,
    simulatorPort: raw.SIMULATOR_PORT,
    dataFolder: resolve(raw.MUSTER_DATA),
    databaseUrl: raw.DATABASE_URL,
    redisUrls: raw.REDIS_URL?.split(',').map((one) => one.trim()) ?? [],
    publicUrl: publicUrlOf(raw),
    secretKeys: raw.SECRET_KEYS,
    accounts,
    mailFrom: raw.MAIL_FROM,
    bounceSmtpPort: raw.BOUNCE_SMTP_PORT,
    vapidPublicKey: publicKeyOf(accounts),
    pushHosts: raw.PUSH_HOSTS,
    trustedProxies: raw.TRUSTED_PROXIES,
    workerLanes: raw.WORKER_LANES,
    logLevel: raw.LOG_LEVEL,
  };
}

export interface SimulatorConfig {
  readonly host: string;
  readonly port: number;
  /** 0: any free one. */
  readonly smtpPort: number;
  /** Absolute path. */
  readonly dataFolder: string;
  /** Where Muster's hooks and pages are; without a trailing slash. */
  readonly publicUrl: string;
  readonly twilio: Pick<TwilioAccount, 'accountSid' | 'authToken'>;
  /** A second account and a second relay, which can fail by themselves. */
  readonly second: (Pick<TwilioAccount, 'accountSid' | 'authToken'> & { readonly smtpPort: number }) | undefined;
  readonly bounceSmtpUrl: string | undefined;
  readonly logLevel: Parsed['LOG_LEVEL'];
}

/** Settings of the simulated carriers, which know no database and no keys. */
export function readSimulatorConfig(env: Environment): SimulatorConfig {
  const raw = parse(env);
  const twilio = twilioAccount(raw.TWILIO_ACCOUNT_SID, raw.TWILIO_AUTH_TOKEN, '');
  const second = twilioAccount(raw.TWILIO_2_ACCOUNT_SID, raw.TWILIO_2_AUTH_TOKEN, '');
  if (!twilio)
    throw new ConfigError([
      `${raw.TWILIO_ACCOUNT_SID === undefined ? 'TWILIO_ACCOUNT_SID' : 'TWILIO_AUTH_TOKEN'}: is required by the simulator, the same as for Muster itself`,
    ]);
  return {
    host: raw.HOST,
    port: raw.SIMULATOR_PORT,
    smtpPort: raw.SIMULATOR_SMTP_PORT,
    dataFolder: resolve(raw.MUSTER_DATA),
    publicUrl: publicUrlOf(raw),
    twilio,
    second: second && { ...second, smtpPort: raw.SIMULATOR_SMTP_2_PORT },
    bounceSmtpUrl: raw.BOUNCE_SMTP_URL,
    logLevel: raw.LOG_LEVEL,
  };
}

/** A fresh key ring entry for a first start. */
export const newSecretKeys = (): string => `a:${randomBytes(32).toString('base64')}`;

/** The text of `--help`. */
export const environmentHelp = (): string => VARIABLES.map((v) => `  ${v.name.padEnd(20)} ${v.about} (default: ${v.default})`).join('\n');
