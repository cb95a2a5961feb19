import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import webpush from 'web-push';
import { openDatabase } from '#db/database.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { freePort } from '#platform/free-port.ts';
import { createLog } from '#platform/log.ts';
import { createTenant, type NewTenant } from '#services/organisations/create-tenant.ts';
import type { BehaviourChange } from '#simulator/control.ts';
import { type Simulator, startSimulator } from '#simulator/start.ts';
import { PASSWORD, TEST_SECRET_KEYS } from './secrets.ts';

export interface Account {
  readonly accountSid: string;
  readonly authToken: string;
}

/** An account as Twilio gives them, which nobody else has. */
export const newAccount = (): Account => ({ accountSid: `AC${randomBytes(16).toString('hex')}`, authToken: randomBytes(16).toString('hex') });

export interface Surroundings {
  readonly port: number;
  readonly dataFolder: string;
  readonly databaseUrl: string;
  readonly redisUrl?: string | undefined;
  readonly secretKeys: string;
  readonly account: Account;
  readonly smsUrl: string;
  readonly smtpUrl: string;
  readonly mailFrom: string;
  /** Origins of the push services. */
  readonly pushHosts: readonly string[];
}

/** Settings of every process of an installation: the carriers of these addresses, and keys of its own for push. */
export function environmentOf(around: Surroundings): Record<string, string> {
  const vapid = webpush.generateVAPIDKeys();
  return {
    PATH: process.env['PATH'] ?? '',
    PORT: String(around.port),
    PUBLIC_URL: `http://127.0.0.1:${around.port}`,
    MUSTER_DATA: around.dataFolder,
    DATABASE_URL: around.databaseUrl,
    SECRET_KEYS: around.secretKeys,
    TWILIO_ACCOUNT_SID: around.account.accountSid,
    TWILIO_AUTH_TOKEN: around.account.authToken,
    TWILIO_API_URL: around.smsUrl,
    SMTP_URL: around.smtpUrl,
    MAIL_FROM: around.mailFrom,
    VAPID_PUBLIC_KEY: vapid.publicKey,
    VAPID_PRIVATE_KEY: vapid.privateKey,
    PUSH_HOSTS: around.pushHosts.join(','),
    ...(around.redisUrl === undefined ? {} : { REDIS_URL: around.redisUrl }),
  };
}

export interface InstallationOptions {
  /** Owner's URL of a migrated database. */
  readonly databaseUrl: string;
  readonly redisUrl?: string | undefined;
  readonly behaviour?: BehaviourChange;
  /** Push services besides the simulator's. */
  readonly pushHosts?: readonly string[];
  /** A worker listens for bounce mails, at a port of its own. */
  readonly bounces?: boolean;
  /** The carriers know a second account of the SMS provider. */
  readonly second?: boolean;
  readonly tenant: Pick<NewTenant, 'name' | 'senders'> & Partial<NewTenant>;
}

export interface Installation {
  readonly folder: string;
  readonly simulator: Simulator;
  /** Environment of every process of the installation. */
  readonly env: Record<string, string>;
  /** Address of the API, which does not run yet. */
  readonly api: string;
  readonly tenantId: number;
  readonly apiKey: string;
  /** E-mail address of the administrator, who signs in with PASSWORD. */
  readonly email: string;
  /** Key of the public ids. */
  readonly idKey: Buffer;
}

/** Prepares one tenant with its senders, the simulator's carriers in this process, and the settings for API and workers. */
export async function prepareInstallation(options: InstallationOptions): Promise<Installation> {
  const folder = mkdtempSync(join(tmpdir(), 'muster-installation-'));
  mkdirSync(join(folder, 'simulator'), { recursive: true });
  const port = await freePort();
  const bouncePort = options.bounces ? await freePort() : undefined;
  const api = `http://127.0.0.1:${port}`;
  const account = newAccount();
  const second = options.second ? newAccount() : undefined;
  const simulator = await startSimulator({
    dataFolder: folder,
    publicUrl: api,
    ...account,
    log: createLog('simulator', 'silent'),
    ...(second === undefined ? {} : { second }),
    ...(bouncePort === undefined ? {} : { bounceSmtpUrl: `smtp://127.0.0.1:${bouncePort}` }),
    ...(options.behaviour === undefined ? {} : { behaviour: options.behaviour }),
  });
  const env = {
    ...environmentOf({
      port,
      dataFolder: folder,
      databaseUrl: options.databaseUrl,
      redisUrl: options.redisUrl,
      secretKeys: TEST_SECRET_KEYS,
      account,
      smsUrl: simulator.url,
      smtpUrl: simulator.smtpUrl,
      mailFrom: 'Muster <muster@example.test>',
      pushHosts: [simulator.url, ...(options.pushHosts ?? [])],
    }),
    ...(second === undefined ? {} : { TWILIO_2_ACCOUNT_SID: second.accountSid, TWILIO_2_AUTH_TOKEN: second.authToken }),
    ...(bouncePort === undefined ? {} : { BOUNCE_SMTP_PORT: String(bouncePort) }),
  };
  const email = `admin-${port}@example.test`;
  const db = openDatabase({ url: options.databaseUrl, role: 'muster_api', max: 2, name: 'test', log: createLog('test', 'silent') });
  const admin = { email, name: 'Admin', password: PASSWORD };
  const { tenantId, apiKey } = await createTenant({ db }, { policy: OPEN_POLICY, admin, keyMode: 'live', ...options.tenant });
  const { id_key: idKey } = await db.across.selectFrom('installation').select('id_key').executeTakeFirstOrThrow();
  await db.close();
  return { folder, simulator, env, api, tenantId, apiKey, email, idKey };
}
